"""From what the graph returns for a batch to one prediction per wafer.

Shapes: B batch, C defect classes, P patterns, k evidence stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import NO_DIE, WaferMap
from waferscope.errors import ModelError
from waferscope.infer.batching import crop, crop_cells
from waferscope.infer.model_file import ModelInfo

FloatArray = npt.NDArray[np.float32]
STEPS: Final = 1024
"""Steps of a die's probability: few enough values that a kept prediction is small.

They are exact in binary, and finer than thresholds are told.
"""
_EDGE = 1.0e-6
"""Probabilities are held this far from 0 and 1 before their logit is taken."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """What the graph answers for a batch.

    ``mask_probs`` [B, C, rows, cols] lie on the canvas, ``pattern_probs`` [B, P] are not yet
    calibrated; ``embedding`` [B, d], ``evidence`` [B, P, rows/k, cols/k].
    """

    mask_probs: FloatArray
    pattern_probs: FloatArray
    embedding: FloatArray
    evidence: FloatArray


def calibrate(
    probs: npt.NDArray[Any], temperature: Sequence[float], bias: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Return sigmoid(logit(probs) / temperature + bias), per pattern in the last axis.

    >>> calibrate(np.array([0.5, 0.9]), (1.0, 2.0), (0.0, 0.0)).round(3)
    array([0.5 , 0.75])
    """
    held = np.clip(np.asarray(probs, np.float64), _EDGE, 1.0 - _EDGE)
    logit = np.log(held) - np.log1p(-held)
    return np.asarray(1.0 / (1.0 + np.exp(-(logit / np.asarray(temperature) + np.asarray(bias)))))


def build_predictions(
    raw: RawBatch, wafers: Sequence[WaferMap], info: ModelInfo, thresholds: tuple[float, ...]
) -> list[Prediction]:
    """Return the predictions of a batch, in its order.

    Masks, defects and metrics are left to the prediction, which computes them when asked. A wafer
    without a failing die has no pattern, whatever the model says of its outline.
    Raises ModelError when the graph returned numbers that are not finite.
    """
    if not all(np.isfinite(x).all() for x in (raw.mask_probs, raw.pattern_probs, raw.embedding)):
        raise ModelError.build(
            expected=f"finite numbers from the model at {info.path}",
            got="NaN or infinity",
            cure="The file is damaged or wrongly quantised: export it again.",
        )
    calibrated = calibrate(raw.pattern_probs, info.temperature, info.bias)
    calibrated[[wafer.fail_count == 0 for wafer in wafers]] = 0.0
    names = info.taxonomy.patterns
    pattern_thresholds = dict(zip(names, info.pattern_thresholds, strict=True))
    return [
        Prediction(
            wafer=wafer,
            taxonomy=info.taxonomy,
            probs=_on_dies(raw.mask_probs[i], wafer),
            thresholds=thresholds,
            patterns=dict(zip(names, calibrated[i].tolist(), strict=True)),
            pattern_thresholds=pattern_thresholds,
            embedding=raw.embedding[i].copy(),
            evidence=crop_cells(raw.evidence[i], wafer.shape, info.stride),
            model_version=info.version,
        )
        for i, wafer in enumerate(wafers)
    ]


def _on_dies(canvas: FloatArray, wafer: WaferMap) -> FloatArray:
    """Return [C, rows, cols] cut from the canvas, 0 where there is no die; never a view.

    A quantised sigmoid may overshoot 1 by a rounding step, hence the clip. Rounded to `STEPS`.
    """
    probs: FloatArray = np.clip(crop(canvas, wafer.shape), 0.0, 1.0)
    probs *= wafer.dies != NO_DIE
    probs *= STEPS
    np.rint(probs, out=probs)
    probs /= STEPS
    return probs
