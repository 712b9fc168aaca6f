"""Pattern labels: WM-811K (one or none) and MixedWM38 (several), with their calibration.

Shapes: N wafers, P patterns, K = P + 1 single labels (the last one none); counts end in 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.ml.calibrate import PatternFit, PatternScores, fit_patterns
from waferscope.ml.evaluation.answers import Answers
from waferscope.ml.evaluation.figure import Tally, quotient, share, tally
from waferscope.ml.evaluation.reliability import bin_counts, diagram, ece, perfect_ece
from waferscope.ml.metrics import Floats, count_single, decide, macro_f1, pairs, recall

Tree = dict[str, Any]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Fit = Callable[[Sequence[PatternScores]], PatternFit]
NONE: Final = "none"


@dataclass(frozen=True, eq=False)
class Decided:
    """Calibrated probabilities and probability over threshold, [N, P], with the truth."""

    probs: Floats
    ratio: Floats
    labels: Bools
    groups: Ints


def pattern_scores(answers: Answers, *, single: bool) -> PatternScores:
    """Return the raw pattern probabilities of a set as what fits are made on."""
    return PatternScores(answers.patterns, answers.labels, single)


def cross_fit(sets: Sequence[tuple[Answers, bool]], fit: Fit = fit_patterns) -> list[Decided]:
    """Return each set (with whether its wafers have one label at most) calibrated by halves.

    Each half is scored with what was fitted on the other halves of all sets.
    """
    scores = [pattern_scores(answers, single=single) for answers, single in sets]
    found = [
        Decided(np.zeros(a.patterns.shape), np.zeros(a.patterns.shape), a.labels, a.groups)
        for a, _ in sets
    ]
    for side in (True, False):
        fitted = fit([s.take(a.even != side) for s, (a, _) in zip(scores, sets, strict=True)])
        for one, (answers, _) in zip(found, sets, strict=True):
            mine = answers.even == side
            one.probs[mine] = fitted.calibrated(answers.patterns[mine])
            one.ratio[mine] = one.probs[mine] / fitted.thresholds
    return found


def single_figures(decided: Decided, patterns: Sequence[str]) -> Tree:
    """Return the figures of wafers with one label or none; intervals are over lots."""
    ones = np.ones(len(patterns))
    preds = decide(decided.ratio, ones)
    truth = decide(decided.labels.astype(np.float64), ones)
    groups, names = decided.groups, [*patterns, NONE]
    counts = count_single(preds, truth, len(patterns))
    defects = truth >= 0
    eight = counts[defects][:, :-1]
    return {
        "wafers": len(truth),
        "lots": len(np.unique(groups)),
        "macro_f1": tally(counts, groups, macro_f1),
        "defect_macro_f1": tally(eight, groups[defects], macro_f1),
        "accuracy": share(preds == truth, groups),
        "recall": {n: tally(counts[:, k], groups, recall) for k, n in enumerate(names)},
        "f1": {n: tally(counts[:, k : k + 1], groups, macro_f1) for k, n in enumerate(names)},
        "called_none": {
            name: share(preds[truth == k] == -1, groups[truth == k])
            for k, name in enumerate(patterns)
        },
        "defects_called_none": share(preds[defects] == -1, groups[defects]),
        "confusion": confusion(preds, truth, len(patterns)),
        **_calibration(*confidences(decided, preds, truth), groups),
        "brier": _brier(decided, patterns),
    }


def confidences(decided: Decided, preds: Ints, truth: Ints) -> tuple[Floats, Bools]:
    """Return the confidence of each single label (none: 1 - largest probability), and if right."""
    chosen = np.take_along_axis(decided.probs, np.maximum(preds, 0)[:, None], axis=1)[:, 0]
    return np.where(preds >= 0, chosen, 1.0 - decided.probs.max(axis=1)), preds == truth


def multi_figures(decided: Decided, patterns: Sequence[str]) -> Tree:
    """Return the figures of wafers with any number of labels; intervals are over wafers.

    ECE is over all decisions about one label of one wafer: its probability against its presence.
    """
    said, there, groups = decided.ratio >= 1.0, decided.labels, decided.groups
    exact = np.all(said == there, axis=1)
    numbers = there.sum(axis=1)
    counts = pairs(said, there)
    kinds = np.array(["+".join(np.array(patterns)[row]) or NONE for row in there])
    every = np.repeat(groups, there.shape[1])
    return {
        "wafers": len(there),
        "exact_match": share(exact, groups),
        "macro_f1": tally(counts, groups, macro_f1),
        "f1": {n: tally(counts[:, k : k + 1], groups, macro_f1) for k, n in enumerate(patterns)},
        "by_patterns": {str(n): _exact(exact, groups, numbers == n) for n in np.unique(numbers)},
        "by_combination": {
            str(kind): _exact(exact, groups, kinds == kind)
            for kind in sorted(np.unique(kinds), key=lambda k: (k.count("+"), k))
        },
        **_calibration(decided.probs.ravel(), there.ravel(), every),
        "brier": _brier(decided, patterns),
    }


def confusion(preds: Ints, truth: Ints, patterns: int) -> list[list[int]]:
    """Return how many wafers of each label (rows) were called each (columns), none last."""
    size = patterns + 1
    flat = np.where(truth < 0, patterns, truth) * size + np.where(preds < 0, patterns, preds)
    table: list[list[int]] = np.bincount(flat, minlength=size * size).reshape(size, size).tolist()
    return table


def _exact(exact: Bools, groups: Ints, picked: Bools) -> Tree:
    return {
        "wafers": int(picked.sum()),
        "exact_match": share(exact[picked], groups[picked]),
    }


def _calibration(confidence: Floats, right: Bools, groups: Ints) -> Tree:
    counts = bin_counts(confidence, right)
    found: Tally = tally(counts, groups, ece)
    return {
        "ece": found,
        "perfect_ece": perfect_ece(confidence),
        "reliability": diagram(counts.sum(axis=0)),
    }


def _brier(decided: Decided, patterns: Sequence[str]) -> Tree:
    errors = (decided.probs - decided.labels) ** 2
    ones = np.ones(len(errors))
    return {
        name: tally(np.stack([errors[:, k], ones], axis=-1), decided.groups, quotient)
        for k, name in enumerate(patterns)
    }
