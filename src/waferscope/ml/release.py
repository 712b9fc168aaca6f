"""From a checkpoint to the file that ships: export, quantise, calibrate, measure, describe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ModelError
from waferscope.infer import load_predictor
from waferscope.ml.card import write_card
from waferscope.ml.corpus import MIXED_FILE, REAL_FILE
from waferscope.ml.evaluate import Say, build_report, examine, quiet, sections
from waferscope.ml.evaluation.answers import ask
from waferscope.ml.evaluation.candidate import Candidate
from waferscope.ml.evaluation.exam import FULL, Exam, open_real
from waferscope.ml.evaluation.headline import headline
from waferscope.ml.evaluation.masks import count_dies, mark, mean_die_iou
from waferscope.ml.graph.export import Origin, export_onnx, update_metadata
from waferscope.ml.graph.placing import place_file
from waferscope.ml.graph.quantise import QuantConfig, quantise
from waferscope.ml.model import WaferNet
from waferscope.ml.sources import lineage_of, notices_of, sources_of
from waferscope.ml.torch_session import torch_predictor
from waferscope.ml.train import current_commit, load_network
from waferscope.ml.truth import FIT_SEED, labelled, synthetic

MOST_BYTES: Final = 40_000_000
MOST_LOST: Final = 0.003
"""Mean die IoU that int8 may cost."""
LEAST_AGREEMENT: Final = 0.999
"""Least IoU of the masks of a network and those of the file exported from it."""
LADDER: Final = (
    QuantConfig(),
    QuantConfig(operators=("Conv",)),
    QuantConfig(operators=("Conv",), halves=("net.decoder.", "net.mask_head.", "net.sketch.")),
)
"""Ways to quantise, the fastest first."""
LOSS_WAFERS: Final = 400
RANGE_WAFERS: Final = 192
COMPARED_WAFERS: Final = 48


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` wrote: both files, the report of the int8 one, and its card."""

    model: Path
    fp32: Path
    card: Path
    report: dict[str, Any]


def release(
    checkpoint: Path,
    folder: Path,
    version: str,
    data: Path | None = None,
    *,
    exam: Exam = FULL,
    say: Say = quiet,
) -> Released:
    """Export a checkpoint to ``folder`` as fp32 and int8, calibrated and measured.

    Ranges are measured on training wafers, thresholds fitted on held-out ones (synthetic alone
    where ``data`` is missing). Raises ModelError when the exported file marks other dies than the
    network, and when the int8 file is over 40 MB.
    """
    net, about = load_network(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    sources = sources_of(checkpoint)
    origin = Origin(
        version=version,
        architecture=net.config.label,
        data_fingerprint=about["data_fingerprint"],
        commit=current_commit(),
        training_data={
            **{k: about[k] for k in ("recipe", "steps", "seed")},
            "began with": "; ".join(lineage_of(checkpoint)) or "random weights",
            "sources": list(sources),
        },
    )
    say("exporting")
    fp32 = export_onnx(net, folder / "waferscope-fp32.onnx", origin)
    wafers = range_wafers(data)
    agreement = compare_export(net, fp32, wafers[:: max(1, len(wafers) // COMPARED_WAFERS)])
    say("quantising")
    int8, lost = quantise_gently(fp32, folder / "waferscope.onnx", wafers)
    for path in (fp32, int8):
        place_file(path)
    real = None if data is None else open_real(data)
    examined = examine(load_predictor(int8), exam, real, say)
    changes = {**examined.calibration().to_metadata(), "notices": list(notices_of(sources))}
    for path in (fp32, int8):
        update_metadata(path, changes)
    known = Candidate(load_predictor(int8), int8.name, int8.stat().st_size, True)
    report = build_report(known, sections(known.predictor, examined, exam, real, say))
    report |= {"export_agreement": agreement, "quantisation_loss": lost}
    update_metadata(int8, {"metrics": headline(report)})
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    card = write_card(load_predictor(int8).model, report, folder / "MODEL_CARD.md")
    return Released(int8, fp32, card, report)


def range_wafers(data: Path | None) -> list[WaferMap]:
    """Return the training wafers on which activation ranges are measured."""
    rng = np.random.default_rng(0)
    drawn = [t.wafer for t in synthetic(FIT_SEED + 1, RANGE_WAFERS // 2)]
    if data is not None:
        for file in (REAL_FILE, MIXED_FILE):
            wafers = labelled(data / file.format(split="train"))
            count = min(RANGE_WAFERS // 4, len(wafers))
            picked = rng.choice(len(wafers), count, replace=False)
            drawn += [wafers[int(i)] for i in picked]
    return drawn


def compare_export(net: WaferNet, fp32: Path, wafers: Sequence[WaferMap]) -> float:
    """Return the IoU of a network's masks and those of its file, thresholds one half.

    All classes and wafers count together; 1 where neither marks a die. Raises ModelError below
    0.999.
    """
    both = either = 0
    mine = torch_predictor(net).predict_stream(wafers)
    exported = load_predictor(fp32).predict_stream(wafers, threshold=0.5)
    for own, other in zip(mine, exported, strict=True):
        both += int(np.count_nonzero(own.masks & other.masks))
        either += int(np.count_nonzero(own.masks | other.masks))
    found = both / either if either else 1.0
    if found < LEAST_AGREEMENT:
        raise ModelError(
            f"Expected {fp32.name} to mark the dies that the network marks (IoU of at least "
            f"{LEAST_AGREEMENT}), got {found:.4f}. Export again with the pinned torch and onnx; "
            "do not use the file."
        )
    return found


def quantise_gently(fp32: Path, target: Path, wafers: Sequence[WaferMap]) -> tuple[Path, float]:
    """Write the int8 file with the most int8 that keeps the masks, and the mean die IoU it lost.

    Raises ModelError when even the gentlest loses 0.3 points or more, or is over 40 MB.
    """
    lost = 1.0
    for config in LADDER:
        quantise(fp32, target, wafers, config)
        lost = quantisation_loss(fp32, target)
        if lost < MOST_LOST and target.stat().st_size <= MOST_BYTES:
            return target, lost
    raise ModelError(
        f"Expected an int8 file of at most {MOST_BYTES:,} bytes that loses less than {MOST_LOST} "
        f"of mean die IoU, got {target.stat().st_size:,} bytes and {lost:.4f}. "
        "Train longer, or leave more of the network in floats."
    )


def quantisation_loss(fp32: Path, int8: Path) -> float:
    """Return how much mean die IoU on held-out synthetic wafers the int8 file lacks."""
    truths = list(synthetic(FIT_SEED + 2, LOSS_WAFERS))
    found = []
    for path in (fp32, int8):
        predictor = load_predictor(path)
        answers, info = ask(predictor, truths), predictor.model
        counts = count_dies(answers, mark(answers, info.mask_thresholds, info.taxonomy))
        found.append(float(np.nan_to_num(mean_die_iou(counts.sum(axis=0)))))
    return found[0] - found[1]
