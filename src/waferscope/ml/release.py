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
from waferscope.ml.calibrate import fit_patterns
from waferscope.ml.card import write_card
from waferscope.ml.corpus import MIXED_FILE, REAL_FILE
from waferscope.ml.evaluate import (
    CHECKED_FILE,
    DieScores,
    die_scores,
    evaluate,
    fit_masks,
    mask_report,
    pattern_scores,
)
from waferscope.ml.export import Origin, export_onnx, update_metadata
from waferscope.ml.quantise import QuantConfig, quantise
from waferscope.ml.train import current_commit, load_network
from waferscope.ml.truth import FIT_SEED, FIT_WAFERS, hand_checked, labelled, synthetic

MOST_BYTES: Final = 40_000_000
MOST_LOST: Final = 0.003
"""Mean die IoU that int8 may cost."""
LADDER: Final = (QuantConfig(), QuantConfig(operators=("Conv",)))
"""Ways to quantise, the fastest first."""
LOSS_WAFERS: Final = 400
RANGE_WAFERS: Final = 192


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` wrote: both files, the report of the int8 one, and its card."""

    model: Path
    fp32: Path
    card: Path
    report: dict[str, Any]


def release(checkpoint: Path, folder: Path, version: str, data: Path | None = None) -> Released:
    """Export a checkpoint to ``folder`` as fp32 and int8, calibrated and measured.

    Ranges are measured on training wafers, thresholds fitted on held-out ones (synthetic alone
    where ``data`` is missing). Raises ModelError when the int8 file is over 40 MB.
    """
    net, about = load_network(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    origin = Origin(
        version=version,
        architecture=f"ResNet-{net.config.depth} U-Net",
        data_fingerprint=about["data_fingerprint"],
        commit=current_commit(),
        training_data={k: about[k] for k in ("recipe", "steps", "seed")},
    )
    fp32 = export_onnx(net, folder / "waferscope-fp32.onnx", origin)
    int8, lost = quantise_gently(fp32, folder / "waferscope.onnx", range_wafers(data))
    changes = calibration(int8, data)
    for path in (fp32, int8):
        update_metadata(path, changes)
    report = {**evaluate(int8, data), "quantisation_loss": lost}
    update_metadata(int8, {"metrics": report})
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    card = write_card(load_predictor(int8).model, folder / "MODEL_CARD.md")
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


def calibration(path: Path, data: Path | None) -> dict[str, Any]:
    """Return the metadata entries of temperatures and thresholds fitted on held-out wafers."""
    predictor = load_predictor(path)
    dies: list[DieScores] = [die_scores(predictor, synthetic(FIT_SEED, FIT_WAFERS))]
    changes: dict[str, Any] = {}
    if data is not None:
        real, mixed = (data / f.format(split="val") for f in (REAL_FILE, MIXED_FILE))
        dies.append(die_scores(predictor, hand_checked(data / CHECKED_FILE, real)))
        fit = fit_patterns(
            [
                pattern_scores(predictor, labelled(real), single=True),
                pattern_scores(predictor, labelled(mixed), single=False),
            ]
        )
        changes["pattern_thresholds"] = fit.thresholds.tolist()
        changes["pattern_calibration"] = {
            "temperature": fit.temperature.tolist(),
            "bias": fit.bias.tolist(),
        }
    return {**changes, "mask_thresholds": fit_masks(dies)}


def quantisation_loss(fp32: Path, int8: Path) -> float:
    """Return how much mean die IoU on held-out synthetic wafers the int8 file lacks."""
    truths = list(synthetic(FIT_SEED + 2, LOSS_WAFERS))
    one, other = (mask_report(load_predictor(path), truths) for path in (fp32, int8))
    return float((one["mean_die_iou"] or 0.0) - (other["mean_die_iou"] or 0.0))
