"""Die IoU, precision and recall of masks, whole and by kind of wafer.

Shapes: N wafers, F failing dies, C defect classes; counts end in 3: (both, said, there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.masks import build_masks
from waferscope.domain.taxonomy import Taxonomy
from waferscope.ml.evaluation.answers import Answers, Bools, Floats, Ints
from waferscope.ml.evaluation.figure import Tally, tally
from waferscope.ml.metrics import divide, iou, mean_of, pairs, precision, recall

Tree = dict[str, Any]
"""Figures by name: tallies, plain values, or further trees."""

SIDES: Final = ((0, 32), (32, 64), (64, 128), (128, 4096))
"""Grid sizes told apart: the longer side in dies, above the first and up to the second."""
DENSITIES: Final = ((0.0, 0.02), (0.02, 0.08), (0.08, 0.16), (0.16, 1.0))
"""Background fail rates told apart: fails in no mask over dies in no mask."""


def mark(answers: Answers, thresholds: Sequence[float], taxonomy: Taxonomy) -> Bools:
    """Return the masks [C, F] that the thresholds give, as the predictor builds them."""
    marked = np.zeros(answers.probs.shape, bool)
    over = answers.probs >= np.asarray(thresholds, np.float32)[:, None]
    for n in np.flatnonzero(sum_dies(answers, over).any(axis=1)).tolist():
        dies = answers.dies(n)
        grid = answers.grid(n, answers.probs[:, dies])
        masks = build_masks(grid, answers.wafers[n].dies, thresholds, taxonomy)
        marked[:, dies] = masks[:, answers.wafers[n].dies == 2]
    return marked


def sum_dies(answers: Answers, values: npt.NDArray[Any]) -> Ints:
    """Return values [K, F] of dies summed by wafer, [N, K]."""
    running = np.concatenate(
        [np.zeros((len(values), 1), np.int64), np.cumsum(values, axis=1, dtype=np.int64)], axis=1
    )
    sums: Ints = (running[:, answers.starts[1:]] - running[:, answers.starts[:-1]]).T
    return sums


def count_dies(answers: Answers, marked: Bools) -> Ints:
    """Return the scored dies of each wafer and class, [N, C, 3]."""
    scored = ~answers.ignore
    triples = pairs(marked & scored, answers.truth & scored)  # [C, F, 3]
    return np.stack([sum_dies(answers, triples[..., k]) for k in range(3)], axis=-1)


def mean_die_iou(counts: Floats) -> Floats:
    """Return the mean IoU of the classes present, of counts [..., C, 3]."""
    return mean_of(np.where(counts[..., 2] > 0, iou(counts), np.nan))


def mask_figures(counts: Ints, names: Sequence[str], units: Ints | None = None) -> Tree:
    """Return die IoU (pooled, and the mean over wafers), precision and recall per class.

    ``counts`` are [N, C, 3]. Every die counts, those of wafers without the class too: marked and
    absent is an error. The mean over wafers is of those where the class is present. A class that
    no wafer has scores 0 when it is marked anywhere; it is not part of ``mean_die_iou``.
    """
    units = np.arange(len(counts)) if units is None else units
    classes = {
        name: {
            "die_iou": tally(counts[:, c], units, iou),
            "precision": tally(counts[:, c], units, precision),
            "recall": tally(counts[:, c], units, recall),
            "wafer_iou": _wafer_mean(counts[:, c], units),
            "wafers": int(np.count_nonzero(counts[:, c, 2])),
        }
        for c, name in enumerate(names)
    }
    return {
        "wafers": len(counts),
        "mean_die_iou": tally(counts, units, mean_die_iou),
        "mean_wafer_iou": _wafer_means(counts, units),
        "classes": classes,
    }


def _wafer_mean(counts: Ints, units: Ints) -> Tally:
    """Return the mean over wafers of the IoU where the class is present."""
    there = counts[:, 2] > 0
    values = np.where(there, np.nan_to_num(iou(counts)), 0.0)
    return tally(np.stack([values, there], axis=-1), units, lambda s: divide(s[..., 0], s[..., 1]))


def _wafer_means(counts: Ints, units: Ints) -> Tally:
    there = counts[..., 2] > 0
    values = np.where(there, np.nan_to_num(iou(counts)), 0.0)
    return tally(
        np.stack([values, there], axis=-1),
        units,
        lambda s: mean_of(divide(s[..., 0], s[..., 1])),
    )


def by_kind(counts: Ints, answers: Answers, names: Sequence[str]) -> Tree:
    """Return mean die IoU and that of each class by grid size, patterns and background."""
    return {
        "by_side": _split(counts, longer_sides(answers), SIDES, names),
        "by_patterns": _by_number(counts, count_patterns(answers), names),
        "by_background": _split(counts, backgrounds(answers), DENSITIES, names),
    }


def longer_sides(answers: Answers) -> Floats:
    """Return the longer side of each wafer's grid, in dies [N]."""
    return np.array([max(w.shape) for w in answers.wafers], np.float64)


def count_patterns(answers: Answers) -> Ints:
    """Return how many classes each wafer has [N]."""
    there = sum_dies(answers, answers.truth) > 0
    return np.asarray(there.sum(axis=1), np.int64)


def backgrounds(answers: Answers) -> Floats:
    """Return the fail rate of each wafer's dies that no mask holds [N]."""
    anywhere = np.asarray(answers.truth.any(axis=0))
    masked = sum_dies(answers, anywhere[None])[:, 0]
    fails = np.diff(answers.starts)
    dies = np.array([np.count_nonzero(w.dies) for w in answers.wafers])
    return np.nan_to_num(divide(fails - masked, dies - masked))


def _split(
    counts: Ints, values: Floats, edges: Sequence[tuple[float, float]], names: Sequence[str]
) -> Tree:
    found = {}
    for low, high in edges:
        picked = (values > low) & (values <= high)
        if low == 0:
            picked |= values == 0
        if picked.any():
            found[f"{low:g}-{high:g}"] = _brief(counts[picked], names)
    return found


def _by_number(counts: Ints, numbers: Ints, names: Sequence[str]) -> Tree:
    return {str(n): _brief(counts[numbers == n], names) for n in np.unique(numbers)}


def _brief(counts: Ints, names: Sequence[str]) -> Tree:
    units = np.arange(len(counts))
    return {
        "wafers": len(counts),
        "mean_die_iou": tally(counts, units, mean_die_iou),
        "die_iou": {
            name: tally(counts[:, c], units, iou)
            for c, name in enumerate(names)
            if counts[:, c, 1:].any()
        },
    }
