"""The mask rule, a threshold and a size limit per class: the best that a bound on alarms leaves.

Every threshold and limit of a grid is tried on every wafer, regions below the limit removed as the
predictor does. The IoU of a class is traded against the share of structureless wafers that it
marks: one price for alarms, raised until few enough of those wafers have any mask at all.
Shapes: C classes, T thresholds and M limits tried, N wafers, F failing dies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.regions import label_regions
from waferscope.domain.taxonomy import DefectClass, Taxonomy
from waferscope.domain.wafermap import FAIL
from waferscope.ml.evaluation.answers import Answers
from waferscope.ml.metrics import divide, iou, mean_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

GRID: Final = np.round(np.arange(0.06, 0.985, 0.02), 2)
"""Thresholds tried."""
LIMITS: Final = (0, 5, 8, 12, 16)
"""Size limits tried, in dies, where they are above the taxonomy's own."""
MOST_ALARMS: Final = 0.010
"""Share of pure-noise wafers that may be marked: below the 0.015 that a release may show."""
PRICES: Final = np.geomspace(0.2, 500.0, 48)
"""IoU given up per alarm share, tried from the lowest on."""
FLAT: Final = 5.0e-3
"""Scores this near to the best are as good: a few hundred wafers do not tell them apart."""
_HAIR: Final = 1.0e-3


@dataclass(frozen=True, slots=True)
class MaskRule:
    """Which dies are marked: ``thresholds`` per class, and a taxonomy with its size limits."""

    thresholds: tuple[float, ...]
    taxonomy: Taxonomy


@dataclass(frozen=True, eq=False)
class Trials:
    """What each threshold and limit gives on a set of wafers.

    ``counts`` [C, T, M, 3] of dies; ``wafer_iou`` [C, T, M] summed over the ``wafers`` [C] that
    have the class; ``marked`` [C, T, M, N] whether a wafer is marked at all.
    """

    counts: Ints
    wafer_iou: Floats
    wafers: Ints
    marked: Bools

    def __add__(self, other: Trials) -> Trials:
        return Trials(
            self.counts + other.counts,
            self.wafer_iou + other.wafer_iou,
            self.wafers + other.wafers,
            np.concatenate([self.marked, other.marked], axis=3),
        )

    def score(self) -> Floats:
        """Return the mean of pooled IoU and IoU by wafer, [C, T, M]; NaN for an absent class.

        Dies alone would let every small defect go.
        """
        there = self.wafers[:, None, None]
        by_wafer = divide(self.wafer_iou, np.broadcast_to(there, self.wafer_iou.shape))
        return np.where(there > 0, (iou(self.counts) + by_wafer) / 2.0, np.nan)


def try_rules(answers: Answers, taxonomy: Taxonomy) -> Trials:
    """Return what every threshold and limit of the grid gives."""
    classes, grid = len(taxonomy.classes), (len(GRID), len(LIMITS))
    counts = np.zeros((classes, *grid, 3), np.int64)
    wafer_iou = np.zeros((classes, *grid))
    wafers = np.zeros(classes, np.int64)
    marked = np.zeros((classes, *grid, len(answers)), bool)
    for n in range(len(answers)):
        dies = answers.dies(n)
        truth = answers.truth[:, dies] & ~answers.ignore[dies]
        fails = answers.wafers[n].dies == FAIL
        wafers += truth.any(axis=1)
        counts[..., 2] += np.count_nonzero(truth, axis=1)[:, None, None]
        for c in np.flatnonzero(answers.probs[:, dies].max(axis=1, initial=0.0) >= GRID[0]):
            limits = np.maximum(LIMITS, taxonomy.classes[c].min_dies)
            for t, sizes in _region_sizes(answers.probs[c, dies], fails, taxonomy.classes[c]):
                said = sizes >= limits[:, None]  # [M, F]
                marked[c, t, :, n] = said.any(axis=1)
                said &= ~answers.ignore[dies]
                both = np.count_nonzero(said & truth[c], axis=1)
                total = np.count_nonzero(said, axis=1)
                counts[c, t, :, 0] += both
                counts[c, t, :, 1] += total
                if truth[c].any():
                    wafer_iou[c, t] += both / (total + np.count_nonzero(truth[c]) - both)
    return Trials(counts, wafer_iou, wafers, marked)


def fit_rule(
    sets: Sequence[Trials], noise: Trials, taxonomy: Taxonomy, most_alarms: float = MOST_ALARMS
) -> MaskRule:
    """Return the rule with the best mean score over the ``sets`` in which each class occurs.

    ``noise`` are wafers on which nothing should be marked. A class that occurs nowhere keeps a
    threshold of one half where the bound allows.
    """
    score = _scores(sets)
    alarms = noise.marked.mean(axis=3) if noise.marked.shape[3] else np.zeros(score.shape)
    picked: list[tuple[int, int]] = []
    for price in PRICES:
        picked = [_best(row) for row in score - price * alarms]
        hits = np.stack([noise.marked[c, t, m] for c, (t, m) in enumerate(picked)]).any(axis=0)
        if not hits.size or hits.mean() <= most_alarms:
            break
    picked = _spent(picked, score, noise.marked, most_alarms)
    classes = tuple(
        replace(one, min_dies=max(one.min_dies, LIMITS[m]))
        for one, (_, m) in zip(taxonomy.classes, picked, strict=True)
    )
    return MaskRule(tuple(float(GRID[t]) for t, _ in picked), replace(taxonomy, classes=classes))


def _spent(
    picked: Sequence[tuple[int, int]], score: Floats, marked: Bools, most_alarms: float
) -> list[tuple[int, int]]:
    """Return the picks after each class in turn took the best that the others leave it.

    One price leaves part of the bound unspent. ``marked`` is bool [C, T, M, N]; no pick gets
    worse, so this ends.
    """
    now = list(picked)
    if not marked.shape[3]:
        return now
    while True:
        before = list(now)
        for c, row in enumerate(score):
            others = [marked[k, t, m] for k, (t, m) in enumerate(now) if k != c]
            taken = np.any(others, axis=0) if others else np.zeros(marked.shape[3], bool)
            share = (marked[c] | taken).mean(axis=2)
            open_to = np.where(share <= most_alarms, row, -np.inf)
            best = _best(open_to) if np.isfinite(open_to).any() else now[c]
            if open_to[best] > row[now[c]]:
                now[c] = best
        if now == before:
            return now


def _scores(sets: Sequence[Trials]) -> Floats:
    """Return the mean score over sets [C, T, M], a hair less for each higher limit."""
    score = mean_of(np.stack([s.score() for s in sets], axis=-1))
    nowhere = np.isnan(score).all(axis=(1, 2))
    score[nowhere] = -np.abs(GRID - 0.5)[:, None]
    return np.nan_to_num(score) - _HAIR * np.arange(len(LIMITS))


def _best(scores: Floats) -> tuple[int, int]:
    """Return the best threshold and limit of [T, M]; a flat top is met in its middle."""
    limit = int(scores.max(axis=0).argmax())
    good = np.flatnonzero(scores[:, limit] >= scores[:, limit].max() - FLAT)
    return int(good[len(good) // 2]), limit


def _region_sizes(
    values: npt.NDArray[np.float32], fails: Bools, rule: DefectClass
) -> Iterator[tuple[int, Ints]]:
    """Yield each threshold that some die reaches, with the size of each die's region, 0 below it.

    ``values`` [F] are the zone probabilities of a class on the failing dies, in row order.
    """
    place = np.flatnonzero(fails)
    rows, cols = np.divmod(place[values >= np.float32(GRID[0])], fails.shape[1])
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    plane = np.zeros(fails.shape, np.float32)
    plane[fails] = values
    inside = np.zeros(fails.shape, bool)
    inside[box] = True
    kept, window = inside[fails], plane[box]
    there = fails[box]
    for t in np.flatnonzero(np.float32(GRID) <= values.max()):
        sizes = np.zeros(len(values), np.int64)
        over = window >= np.float32(GRID[t])
        if rule.grouping == "whole":
            labels = over.astype(np.int32)
        else:
            labels = label_regions(over, rule.closing)[1]
        count = np.bincount(labels.ravel())
        count[0] = 0
        sizes[kept] = count[labels][there]
        yield int(t), sizes
