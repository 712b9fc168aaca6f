"""What a model file is worth: masks, labels and false alarms on wafers with a known answer.

Thresholds are fitted on one half of the held-out lots and the figures taken on the other, both
ways (`calibrate_model` then fits what ships on all of them). C classes, P patterns, N wafers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.infer import Predictor, load_predictor
from waferscope.ml.calibrate import (
    PatternFit,
    PatternScores,
    decide,
    fit_mask_threshold,
    fit_patterns,
    score_labels,
)
from waferscope.ml.corpus import MIXED_FILE, REAL_FILE
from waferscope.ml.metrics import MaskCounts, count_masks, die_iou
from waferscope.ml.truth import (
    FIT_SEED,
    FIT_WAFERS,
    TEST_SEED,
    Truth,
    hand_checked,
    labelled,
    noise,
    synthetic,
)

CHECKED_FILE: Final = "wm811k/val_masks.npz"
SYNTH_WAFERS: Final = 1000
NOISE_WAFERS: Final = 500
BINS: Final = 15
Report = dict[str, Any]


@dataclass(frozen=True, eq=False)
class DieScores:
    """Zone probabilities of the failing, scored dies of a wafer set, and their truth: [C, D]."""

    probs: npt.NDArray[np.float64]
    truth: npt.NDArray[np.bool_]


def evaluate(
    model: Path | None = None, data: Path | None = None, *, wafers: int = SYNTH_WAFERS
) -> Report:
    """Return every figure of a model file; those on real wafers need the folder ``data``.

    ``wafers`` synthetic ones of a held-out seed and half as many of pure noise are drawn. Raises
    ModelError and ConfigError for a model or data that cannot be used.
    """
    predictor = load_predictor(model)
    report: Report = {
        "model_version": predictor.model.version,
        "quantisation": predictor.model.quantisation,
        "synthetic": mask_report(predictor, synthetic(TEST_SEED, wafers)),
        "noise": noise_report(predictor, noise(TEST_SEED, wafers // 2)),
    }
    if data is not None:
        real, mixed = (data / f.format(split="val") for f in (REAL_FILE, MIXED_FILE))
        checked = hand_checked(data / CHECKED_FILE, real)
        report["hand_checked"] = checked_report(predictor, checked)
        sets = [
            pattern_scores(predictor, labelled(real), single=True),
            pattern_scores(predictor, labelled(mixed), single=False),
        ]
        report.update(pattern_report(sets, predictor.model.taxonomy.patterns))
    return report


def mask_report(predictor: Predictor, truths: Iterable[Truth]) -> Report:
    """Return die IoU, precision and recall per class, pooled over the wafers, and their means."""
    names = predictor.model.taxonomy.class_names
    total = MaskCounts.zero(len(names))
    count = 0
    for truth, prediction in _predict(predictor, truths):
        total = total + count_masks(prediction.masks, truth.masks, truth.ignore)
        count += 1
    return _mask_figures(names, total, count)


def checked_report(predictor: Predictor, truths: Sequence[Truth]) -> Report:
    """Return `mask_report` with thresholds fitted without the half of the lots they score."""
    names = predictor.model.taxonomy.class_names
    lots = {lot: k for k, lot in enumerate(dict.fromkeys(t.wafer.lot_id for t in truths))}
    halves = [[t for t in truths if lots[t.wafer.lot_id] % 2 == k] for k in (0, 1)]
    drawn = die_scores(predictor, synthetic(FIT_SEED, FIT_WAFERS))
    scores = [die_scores(predictor, half) for half in halves]
    total = MaskCounts.zero(len(names))
    for half, other in zip(halves, reversed(scores), strict=True):
        thresholds = tuple(fit_masks([drawn, other]))
        for truth, prediction in _predict(predictor, half):
            refitted = replace(prediction, thresholds=thresholds)
            total = total + count_masks(refitted.masks, truth.masks, truth.ignore)
    return _mask_figures(names, total, len(truths))


def _mask_figures(names: Sequence[str], total: MaskCounts, count: int) -> Report:
    iou = die_iou(total)
    present = total.truth > 0
    with np.errstate(invalid="ignore"):
        precision, recall = total.both / total.pred, total.both / total.truth
    return {
        "wafers": count,
        "die_iou": _named(names, iou),
        "precision": _named(names, precision),
        "recall": _named(names, recall),
        "mean_die_iou": float(np.mean(iou[present])) if present.any() else None,
    }


def noise_report(predictor: Predictor, wafers: Iterable[WaferMap]) -> Report:
    """Return the share of structureless wafers on which some defect is reported."""
    alarms = [bool(p.defects) for p in predictor.predict_stream(wafers)]
    return {"wafers": len(alarms), "false_alarms": float(np.mean(alarms)) if alarms else None}


def pattern_scores(
    predictor: Predictor, wafers: Sequence[WaferMap], *, single: bool
) -> PatternScores:
    """Return raw pattern probabilities and labels of labelled wafers, grouped by lot."""
    info = predictor.model
    fit = PatternFit(np.array(info.temperature), np.array(info.bias), np.ones(1))
    names = info.taxonomy.patterns
    shown = np.array([[p.patterns[n] for n in names] for p in predictor.predict_stream(wafers)])
    labels = np.array([[n in (w.patterns or ()) for n in names] for w in wafers])
    lots = {lot: k for k, lot in enumerate(dict.fromkeys(w.lot_id for w in wafers))}
    groups = np.array([lots[w.lot_id] for w in wafers], np.int64)
    return PatternScores(fit.raw(shown), labels, groups, single)


def pattern_report(sets: Sequence[PatternScores], patterns: Sequence[str]) -> Report:
    """Return WM-811K and MixedWM38 figures, each half of the lots scored with the other's fit."""
    halves = [s.halves() for s in sets]
    fits = [fit_patterns([h[k] for h in halves]) for k in (1, 0)]
    report: Report = {}
    for scores, parts in zip(sets, halves, strict=True):
        calibrated = [f.calibrated(part.probs) for f, part in zip(fits, parts, strict=True)]
        ratios = [c / f.thresholds for c, f in zip(calibrated, fits, strict=True)]
        probs = np.concatenate(calibrated)
        labels = np.concatenate([part.labels for part in parts])
        decided = np.concatenate(ratios)
        if scores.single:
            report["wm811k"] = _single_report(probs, decided, labels, patterns)
        else:
            ones = np.ones(len(patterns))
            exact = score_labels(decided, labels, ones, single=False)
            report["mixedwm38"] = {
                "wafers": len(labels),
                "exact_match": exact,
                "by_count": {
                    str(n): float(np.mean(np.all((decided >= 1) == labels, axis=1)[picked]))
                    for n in np.unique(labels.sum(1))
                    if (picked := labels.sum(1) == n).any()
                },
            }
    return report


def die_scores(predictor: Predictor, truths: Iterable[Truth]) -> DieScores:
    """Return the zone probabilities of the failing dies that are scored, with their truth."""
    probs, target = [], []
    for truth, prediction in _predict(predictor, truths):
        scored = truth.wafer.dies == FAIL
        if truth.ignore is not None:
            scored &= ~truth.ignore
        probs.append(prediction.probs[:, scored].astype(np.float64))
        target.append(truth.masks[:, scored])
    return DieScores(np.concatenate(probs, axis=1), np.concatenate(target, axis=1))


def fit_masks(sets: Sequence[DieScores]) -> list[float]:
    """Return one threshold per class, the best on the mean of the sets in which it occurs."""
    classes = len(sets[0].probs)
    return [fit_mask_threshold([(s.probs[c], s.truth[c]) for s in sets]) for c in range(classes)]


def _single_report(
    probs: npt.NDArray[np.float64],
    ratio: npt.NDArray[np.float64],
    labels: npt.NDArray[np.bool_],
    patterns: Sequence[str],
) -> Report:
    names = [*patterns, "none"]
    ones = np.ones(len(patterns))
    preds, truth = decide(ratio, ones), decide(labels.astype(float), np.full(1, 0.5))
    defect = truth >= 0
    recall = {
        name: _share(preds == n, truth == n)
        for n, name in zip((*range(len(patterns)), -1), names, strict=True)
    }
    chosen = np.take_along_axis(probs, np.maximum(preds, 0)[:, None], axis=1)[:, 0]
    confidence = np.where(preds >= 0, chosen, 1.0 - probs.max(axis=1))
    return {
        "wafers": len(labels),
        "macro_f1": score_labels(ratio, labels, ones, single=True),
        "accuracy": float(np.mean(preds == truth)),
        "recall": recall,
        "called_none": {n: _share(preds == -1, truth == k) for k, n in enumerate(patterns)},
        "defects_called_none": _share(preds == -1, defect),
        "ece": expected_calibration_error(confidence, preds == truth),
        "brier": _named(patterns, np.mean((probs - labels) ** 2, axis=0)),
    }


def expected_calibration_error(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> float:
    """Return the ECE over 15 equal-width bins.

    >>> expected_calibration_error(np.array([0.9, 0.9]), np.array([True, False]))
    0.4
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(np.mean(right[bins == b])) - float(np.mean(confidence[bins == b])))
        * float(np.mean(bins == b))
        for b in np.unique(bins)
    ]
    return round(float(np.sum(gaps)), 12)


def _predict(predictor: Predictor, truths: Iterable[Truth]) -> Iterable[tuple[Truth, Prediction]]:
    held = list(truths)
    return zip(held, predictor.predict_stream(t.wafer for t in held), strict=True)


def _named(names: Sequence[str], values: npt.NDArray[Any]) -> dict[str, float | None]:
    return {n: float(v) if np.isfinite(v) else None for n, v in zip(names, values, strict=True)}


def _share(hits: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float | None:
    return float(np.mean(hits[among])) if among.any() else None
