"""Temperature, bias and threshold of each pattern, fitted on held-out wafers.

Shapes: N wafers, P patterns, T thresholds tried. Source: Platt, "Probabilistic Outputs for Support
Vector Machines", 1999; Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from waferscope.ml.metrics import count_single, decide, macro_f1

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GRID: Final = np.round(np.arange(0.06, 0.95, 0.02), 2)
"""Thresholds tried."""
ROUNDS: Final = 3
DECISION_WEIGHT: Final = 3.0
"""Weight of a wafer's single label against one of its P labels.

The confidence of ``none`` is 1 - the largest probability, which overstates it wherever several
labels are possible: patterns calibrated one by one gave WM-811K an ECE of 0.044. This weight took
it to 0.038, 10 to 0.033, at the price of a Brier score of 0.041 and 0.045 on MixedWM38 (0.039).
"""
_EDGE: Final = 1.0e-6
_TINY: Final = 1.0e-15
"""Calibration spreads probabilities beyond the edge; their inverse has to bring them back."""
_BOUNDS: Final = ((-3.0, 3.0), (-20.0, 20.0))
"""Of the log slope and the bias: labels that one cut parts have no likeliest slope."""
_HAIR: Final = 1.0e-3


@dataclass(frozen=True, eq=False)
class PatternScores:
    """Uncalibrated probabilities ``probs`` and truth ``labels``, both [N, P], of one wafer set.

    ``single``: each wafer has one label or none (WM-811K), so macro-F1 counts; else exact match
    (MixedWM38).
    """

    probs: Floats
    labels: Bools
    single: bool

    def take(self, keep: Bools) -> PatternScores:
        """Return the wafers where ``keep`` [N] is true."""
        return PatternScores(self.probs[keep], self.labels[keep], self.single)


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
        shown = logit(np.clip(calibrated, _TINY, 1.0 - _TINY))
        return np.asarray(expit((shown - self.bias) * self.temperature), np.float64)


def fit_patterns(sets: Sequence[PatternScores]) -> PatternFit:
    """Fit temperature and bias per pattern on all sets, then thresholds on their mean score.

    Every set weighs the same. The single labels that a fit leads to are part of what the next one
    is fitted on, so that their confidence is true too.
    """
    patterns = sets[0].probs.shape[1]
    fit = _search(_likeliest(sets, [None] * len(sets)), np.full(patterns, 0.5), sets)
    for _ in range(ROUNDS):
        decisions = [_decisions(s, fit) if s.single else None for s in sets]
        fit = _search(_likeliest(sets, decisions), fit.thresholds, sets)
    return fit


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
    preds = decide(probs, thresholds)
    return float(macro_f1(count_single(preds, true_labels(labels), labels.shape[1]).sum(axis=0)))


def true_labels(labels: Bools) -> npt.NDArray[np.int64]:
    """Return the only label of each wafer [N], -1 for none."""
    return np.where(labels.any(axis=1), labels.argmax(axis=1), -1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Decisions:
    """The event that decides each wafer: ``pattern`` [N] is named, or nothing is.

    ``there`` [N]: whether the named pattern is right; where none is named, whether there is one.
    """

    pattern: npt.NDArray[np.int64]
    there: Bools


def _decisions(scores: PatternScores, fit: PatternFit) -> _Decisions:
    probs = fit.calibrated(scores.probs)
    named, truth = decide(probs, fit.thresholds), true_labels(scores.labels)
    pattern = np.where(named >= 0, named, probs.argmax(axis=1))
    return _Decisions(pattern, np.where(named >= 0, named == truth, truth >= 0))


def _likeliest(
    sets: Sequence[PatternScores], decisions: Sequence[_Decisions | None]
) -> list[tuple[float, float]]:
    """Return temperature and bias of each pattern."""
    found = []
    for p in range(sets[0].probs.shape[1]):
        events = list(_events(sets, decisions, p))
        probs, labels, weight = (np.concatenate(part) for part in zip(*events, strict=True))
        found.append(fit_platt(probs, labels, weight))
    return found


def _events(
    sets: Sequence[PatternScores], decisions: Sequence[_Decisions | None], p: int
) -> Iterator[tuple[Floats, Bools, Floats]]:
    """Yield raw probability, outcome and weight of all that is said of a pattern."""
    for scores, decided in zip(sets, decisions, strict=True):
        probs, labels = scores.probs[:, p], scores.labels[:, p]
        yield probs, labels, np.full(len(probs), 1.0 / len(probs))
        if decided is not None:
            mine = decided.pattern == p
            weight = np.full(int(mine.sum()), DECISION_WEIGHT / len(probs))
            yield probs[mine], decided.there[mine], weight


def _search(
    pairs: Sequence[tuple[float, float]], start: Floats, sets: Sequence[PatternScores]
) -> PatternFit:
    """Return the fit with the thresholds of the best mean score, one pattern at a time."""
    temperature, bias = (np.array(side) for side in zip(*pairs, strict=True))
    fit = PatternFit(temperature, bias, start.copy())
    calibrated = [(fit.calibrated(s.probs), s) for s in sets]
    for _ in range(ROUNDS):
        for p in range(len(start)):
            scores = [_trials(probs, s, fit.thresholds, p) for probs, s in calibrated]
            fit.thresholds[p] = GRID[middle_of_best(np.mean(scores, axis=0))]
    return fit


def _trials(probs: Floats, scores: PatternScores, thresholds: Floats, p: int) -> Floats:
    """Return the score [T] of every threshold of the grid for pattern ``p``, the others kept."""
    others = np.delete(np.arange(len(thresholds)), p)
    over = probs[:, p] >= GRID[:, None]  # [T, N]
    if not scores.single:
        right = np.all((probs[:, others] >= thresholds[others]) == scores.labels[:, others], axis=1)
        return np.asarray((right & (over == scores.labels[:, p])).mean(axis=1))
    rest = decide(probs[:, others], thresholds[others])
    rest = np.where(rest >= 0, others[rest], -1)
    lead = (probs[:, others] / thresholds[others]).max(axis=1, initial=0.0)
    named = np.where(over & (probs[:, p] / GRID[:, None] > lead), p, rest)
    return _macro_f1(named, true_labels(scores.labels), len(thresholds))


def _macro_f1(named: npt.NDArray[np.int64], truth: npt.NDArray[np.int64], patterns: int) -> Floats:
    """Return macro-F1 [T] of single labels ``named`` [T, N]."""
    counts = np.zeros((len(named), patterns + 1, 3), np.int64)
    for k in range(-1, patterns):
        said, there = named == k, truth == k
        counts[:, k, 0] = np.count_nonzero(said & there, axis=1)
        counts[:, k, 1] = np.count_nonzero(said, axis=1)
        counts[:, k, 2] = np.count_nonzero(there)
    return macro_f1(counts)


def middle_of_best(scores: Floats, hair: float = _HAIR) -> int:
    """Return the middle index of those within a hair of the best: flat tops are not overfitted."""
    good = np.flatnonzero(scores >= scores.max() - hair)
    return int(good[len(good) // 2])
