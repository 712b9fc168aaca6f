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
    pattern_scores,
)
from waferscope.ml.export import Origin, export_onnx, update_metadata
from waferscope.ml.quantise import QuantConfig, mean_mask_iou, quantise
from waferscope.ml.train import current_commit, load_network
from waferscope.ml.truth import FIT_SEED, FIT_WAFERS, hand_checked, labelled, synthetic

MOST_BYTES: Final = 40_000_000
MOST_LOST: Final = 0.003
"""Mean IoU between fp32 and int8 masks may fall this far below 1 on synthetic truth."""
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
    int8 = quantise(fp32, folder / "waferscope.onnx", range_wafers(data), QuantConfig())
    if int8.stat().st_size > MOST_BYTES:
        raise ModelError(
            f"Expected an int8 file of at most {MOST_BYTES:,} bytes, got {int8.stat().st_size:,}. "
            "Use a smaller network."
        )
    for path in (fp32, int8):
        calibrate_model(path, data)
    report = evaluate(int8, data)
    report["quantisation_loss"] = quantisation_loss(fp32, int8)
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
            picked = rng.choice(len(wafers), RANGE_WAFERS // 4, replace=False)
            drawn += [wafers[int(i)] for i in picked]
    return drawn


def calibrate_model(path: Path, data: Path | None) -> None:
    """Fit temperatures and thresholds of a neutral file on held-out wafers, in place."""
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
    update_metadata(path, {**changes, "mask_thresholds": fit_masks(dies)})


def quantisation_loss(fp32: Path, int8: Path, wafers: Sequence[WaferMap] | None = None) -> float:
    """Return 1 - mean IoU over classes between the masks of two files, at the same thresholds."""
    if wafers is None:
        wafers = [t.wafer for t in synthetic(FIT_SEED + 2, 300)]
    one, other = (
        [p.masks for p in load_predictor(path).predict_stream(wafers, threshold=0.5)]
        for path in (fp32, int8)
    )
    return 1.0 - mean_mask_iou(one, other)
