"""Temperatures and thresholds of a model, fitted on held-out wafers.

Shapes: N wafers, P patterns, C classes, D failing dies. Source: Platt, "Probabilistic Outputs for
Support Vector Machines", 1999; Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GRID: Final = np.round(np.arange(0.06, 0.95, 0.02), 2)
"""Thresholds tried."""
ROUNDS: Final = 3
_EDGE: Final = 1.0e-6
_BOUNDS: Final = ((-3.0, 3.0), (-20.0, 20.0))
"""Of the log slope and the bias: labels that one cut parts have no likeliest slope."""


@dataclass(frozen=True, eq=False)
class PatternScores:
    """Uncalibrated probabilities ``probs`` and truth ``labels``, both [N, P], of one wafer set.

    ``single``: each wafer has one label or none (WM-811K), so macro-F1 counts; else exact match
    (MixedWM38). ``groups`` [N] never part when the set is halved: lots, or wafers.
    """

    probs: Floats
    labels: Bools
    groups: npt.NDArray[np.int64]
    single: bool

    def take(self, keep: Bools) -> PatternScores:
        """Return the wafers where ``keep`` [N] is true."""
        return PatternScores(self.probs[keep], self.labels[keep], self.groups[keep], self.single)

    def halves(self) -> tuple[PatternScores, PatternScores]:
        """Return two parts of about the same size that share no group."""
        even = self.groups % 2 == 0
        return self.take(even), self.take(~even)


@dataclass(frozen=True, eq=False)
class PatternFit:
    """Calibration and decision thresholds of the patterns, all [P]."""

    temperature: Floats
    bias: Floats
    thresholds: Floats

    def calibrated(self, probs: Floats) -> Floats:
        """Return calibrated probabilities of raw ones [N, P]."""
        raw = logit(np.clip(probs, _EDGE, 1.0 - _EDGE))
        return np.asarray(expit(raw / self.temperature + self.bias), np.float64)

    def raw(self, calibrated: Floats) -> Floats:
        """Return the raw probabilities of calibrated ones [N, P]; the inverse of `calibrated`."""
        shown = logit(np.clip(calibrated, _EDGE, 1.0 - _EDGE))
        return np.asarray(expit((shown - self.bias) * self.temperature), np.float64)


def fit_patterns(sets: Sequence[PatternScores]) -> PatternFit:
    """Fit temperature and bias per pattern on all sets, then thresholds on their mean score."""
    probs = np.concatenate([s.probs for s in sets])
    labels = np.concatenate([s.labels for s in sets])
    weight = np.concatenate([np.full(len(s.probs), 1.0 / len(s.probs)) for s in sets])
    pairs = [fit_platt(probs[:, p], labels[:, p], weight) for p in range(probs.shape[1])]
    fit = PatternFit(
        np.array([t for t, _ in pairs]), np.array([b for _, b in pairs]), np.full(len(pairs), 0.5)
    )
    calibrated = [(fit.calibrated(s.probs), s) for s in sets]
    thresholds = fit.thresholds.copy()
    for _ in range(ROUNDS):
        for p in range(len(thresholds)):
            trials = np.tile(thresholds, (len(GRID), 1))
            trials[:, p] = GRID
            scores = [
                np.mean([score_labels(c, s.labels, trial, s.single) for c, s in calibrated])
                for trial in trials
            ]
            thresholds[p] = GRID[_middle_of_best(np.asarray(scores))]
    return PatternFit(fit.temperature, fit.bias, thresholds)


def fit_platt(probs: Floats, labels: Bools, weight: Floats) -> tuple[float, float]:
    """Return the temperature and bias that make ``probs`` [N] likeliest; (1, 0) without both kinds.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> raw = rng.normal(size=4000)
    >>> seen = rng.random(4000) < expit(raw / 2 + 1)
    >>> t, b = fit_platt(expit(raw), seen, np.ones(4000))
    >>> round(t), round(b)
    (2, 1)
    """
    if labels.all() or not labels.any():
        return 1.0, 0.0
    raw = logit(np.clip(probs, _EDGE, 1.0 - _EDGE))
    scaled = weight / weight.sum()

    def loss(params: Floats) -> tuple[float, Floats]:
        slope = np.exp(params[0])
        z = raw * slope + params[1]
        residual = scaled * (expit(z) - labels)
        value = float(np.sum(scaled * (np.logaddexp(0.0, z) - labels * z)))
        return value, np.array([slope * np.sum(residual * raw), np.sum(residual)])

    best = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=_BOUNDS).x
    return float(np.exp(-best[0])), float(best[1])


def score_labels(probs: Floats, labels: Bools, thresholds: Floats, single: bool) -> float:
    """Return macro-F1 over patterns and none (``single``), or the exact match of all labels."""
    if not single:
        return float(np.mean(np.all((probs >= thresholds) == labels, axis=1)))
    preds, truth = decide(probs, thresholds), decide(labels.astype(np.float64), np.full(1, 0.5))
    names = range(-1, labels.shape[1])
    return float(np.mean([_f1(preds == n, truth == n) for n in names]))


def decide(probs: Floats, thresholds: Floats) -> npt.NDArray[np.int64]:
    """Return the pattern of the largest probability over threshold [N], -1 where none is."""
    ratio = probs / thresholds
    best = ratio.argmax(axis=1)
    over = np.take_along_axis(ratio, best[:, None], axis=1)[:, 0] >= 1.0
    return np.where(over, best, -1)


def fit_mask_threshold(sets: Sequence[tuple[Floats, Bools]]) -> float:
    """Return the threshold with the best mean IoU over sets of one class's (probs, truth) [D]."""
    shown = [(p, t) for p, t in sets if t.any()]
    if not shown:
        return 0.5
    scores = [[_iou(p >= threshold, t) for p, t in shown] for threshold in GRID]
    return float(GRID[_middle_of_best(np.mean(scores, axis=1))])


def _iou(preds: Bools, truth: Bools) -> float:
    either = int((preds | truth).sum())
    return int((preds & truth).sum()) / either if either else 0.0


def _f1(found: Bools, there: Bools) -> float:
    total = float(found.sum() + there.sum())
    return 2.0 * float((found & there).sum()) / total if total else 0.0


def _middle_of_best(scores: Floats) -> int:
    """Return the middle index of those within a hair of the best: flat tops are not overfitted."""
    good = np.flatnonzero(scores >= scores.max() - 1.0e-3)
    return int(good[len(good) // 2])
