"""Scores of masks and labels: counts first, ratios after.

Shapes: N wafers, C classes, P patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Vector = npt.NDArray[np.float64]


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


def count_masks(preds: Mask, target: Mask, ignore: Mask | None = None) -> MaskCounts:
    """Count dies of ``preds`` and ``target`` bool [C, rows, cols]; ignored dies are left out."""
    if ignore is not None:
        preds, target = preds & ~ignore, target & ~ignore
    axes = (1, 2)
    return MaskCounts(
        np.count_nonzero(preds & target, axis=axes).astype(np.int64),
        np.count_nonzero(preds, axis=axes).astype(np.int64),
        np.count_nonzero(target, axis=axes).astype(np.int64),
    )


def die_iou(counts: MaskCounts) -> Vector:
    """Return pooled IoU per class [C]; NaN for a class neither marked nor present.

    >>> die_iou(MaskCounts(np.array([2, 0]), np.array([3, 0]), np.array([3, 0]))).tolist()
    [0.5, nan]
    """
    union = counts.pred + counts.truth - counts.both
    iou: Vector = np.full(len(union), np.nan)
    np.divide(counts.both, union, out=iou, where=union > 0)
    return iou


def macro_f1(preds: Sequence[str], target: Sequence[str], names: Sequence[str]) -> float:
    """Return the mean F1 over ``names``; a name that occurs on neither side scores 0.

    >>> macro_f1(["a", "b", "b"], ["a", "b", "a"], ["a", "b"])
    0.6666666666666666
    """
    return float(np.mean([f1(preds, target, name) for name in names]))


def f1(preds: Sequence[str], target: Sequence[str], name: str) -> float:
    """Return the F1 of one label of single-label wafers, 0 where it occurs on neither side."""
    found, there = np.asarray(preds) == name, np.asarray(target) == name
    total = int(found.sum() + there.sum())
    return 2.0 * float(np.sum(found & there)) / total if total else 0.0


def exact_match(preds: npt.NDArray[np.bool_], target: npt.NDArray[np.bool_]) -> float:
    """Return the share of wafers whose labels [N, P] are all right."""
    return float(np.mean(np.all(preds == target, axis=1))) if len(preds) else float("nan")


def single_label(
    probs: npt.NDArray[np.floating], thresholds: npt.NDArray[np.floating], names: Sequence[str]
) -> list[str]:
    """Return one label per wafer: ``none``, or that of the largest probability over threshold.

    >>> single_label(np.array([[0.2, 0.6], [0.1, 0.2]]), np.array([0.5, 0.5]), ["a", "b"])
    ['b', 'none']
    """
    ratio = probs / thresholds
    best = ratio.argmax(axis=1)
    over = np.take_along_axis(ratio, best[:, None], axis=1)[:, 0] >= 1.0
    return [names[i] if hit else "none" for i, hit in zip(best, over, strict=True)]
