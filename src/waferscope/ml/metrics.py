"""Scores of masks and labels: counts first, ratios after.

Shapes: N wafers, C classes, P patterns, K labels; counts end in 3: (both, said, there).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MaskCounts:
    """Dies per class summed over wafers: ``both``, ``pred`` and ``truth``, int64 [C]."""

    both: Counts
    pred: Counts
    truth: Counts

    @classmethod
    def zero(cls, classes: int) -> MaskCounts:
        """Return counts of nothing."""
        return cls(*(np.zeros(classes, np.int64) for _ in range(3)))

    def __add__(self, other: MaskCounts) -> MaskCounts:
        return MaskCounts(self.both + other.both, self.pred + other.pred, self.truth + other.truth)


def die_iou(counts: MaskCounts) -> Floats:
    """Return pooled IoU per class [C]; NaN for a class neither marked nor present.

    >>> die_iou(MaskCounts(np.array([2, 0]), np.array([3, 0]), np.array([3, 0]))).tolist()
    [0.5, nan]
    """
    return iou(np.stack([counts.both, counts.pred, counts.truth], axis=-1))


def count_pairs(preds: Mask, target: Mask, axis: int = -1) -> Counts:
    """Count along ``axis`` where both hold, where ``preds`` does and where ``target`` does.

    >>> count_pairs(np.array([[1, 1, 0]]) > 0, np.array([[0, 1, 0]]) > 0).tolist()
    [[1, 2, 1]]
    """
    pairs = (preds & target, preds, target)
    return np.stack([np.count_nonzero(p, axis=axis) for p in pairs], axis=-1).astype(np.int64)


def pairs(preds: Mask, target: Mask) -> Counts:
    """Return for each element [..., 3] whether both hold, ``preds`` does and ``target`` does."""
    return np.stack([preds & target, preds, target], axis=-1).astype(np.int64)


def iou(counts: npt.NDArray[Any]) -> Floats:
    """Return intersection over union of counts [..., 3]; NaN where there is nothing."""
    both, said, there = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return divide(both, said + there - both)


def precision(counts: npt.NDArray[Any]) -> Floats:
    """Return the share of what was said that is true, of counts [..., 3]."""
    return divide(counts[..., 0], counts[..., 1])


def recall(counts: npt.NDArray[Any]) -> Floats:
    """Return the share of what is there that was said, of counts [..., 3]."""
    return divide(counts[..., 0], counts[..., 2])


def f1(counts: npt.NDArray[Any]) -> Floats:
    """Return F1 of counts [..., 3]; NaN for a label on neither side.

    >>> f1(np.array([[2, 3, 3], [0, 0, 0]])).round(3).tolist()
    [0.667, nan]
    """
    both, said, there = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return divide(2.0 * both, said + there)


def mean_of(values: Floats) -> Floats:
    """Return the mean over the last axis, NaN left out; NaN where nothing is left."""
    there = np.isfinite(values)
    return divide(np.where(there, values, 0.0).sum(axis=-1), there.sum(axis=-1).astype(np.float64))


def divide(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Floats:
    """Return ``one`` / ``other``, NaN where the divisor is 0."""
    top, bottom = np.asarray(one, np.float64), np.asarray(other, np.float64)
    ratio: Floats = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=ratio, where=bottom != 0)
    return ratio


def decide(probs: Floats, thresholds: Floats) -> Counts:
    """Return the pattern of the largest probability over threshold [N], -1 where none reaches 1.

    >>> decide(np.array([[0.2, 0.6], [0.1, 0.2]]), np.array([0.5, 0.5])).tolist()
    [1, -1]
    """
    ratio = probs / thresholds
    best = ratio.argmax(axis=1)
    over = np.take_along_axis(ratio, best[:, None], axis=1)[:, 0] >= 1.0
    return np.where(over, best, -1).astype(np.int64)


def count_single(preds: Counts, truth: Counts, patterns: int) -> Counts:
    """Count each single label [N, P + 1, 3] of wafers, -1 (none) as the last one."""
    names = np.array([*range(patterns), -1])
    return pairs(preds[:, None] == names, truth[:, None] == names)


def macro_f1(counts: npt.NDArray[Any]) -> Floats:
    """Return the mean F1 of the labels that occur on either side, of counts [..., K, 3].

    One that is said but never there scores 0; one on neither side does not count.
    """
    return mean_of(f1(counts))
