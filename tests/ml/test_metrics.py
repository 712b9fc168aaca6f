"""Scores against torchmetrics and against sets of dies."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_jaccard_index,
    binary_precision,
    binary_recall,
    multiclass_f1_score,
)

from waferscope.ml.metrics import (
    MaskCounts,
    count_pairs,
    count_single,
    decide,
    die_iou,
    divide,
    f1,
    iou,
    macro_f1,
    mean_of,
    pairs,
    precision,
    recall,
)

Mask = npt.NDArray[np.bool_]


@pytest.fixture
def sides(rng: np.random.Generator) -> tuple[Mask, Mask]:
    """What is said and what is there: four classes, two hundred dies."""
    return rng.random((4, 200)) < 0.4, rng.random((4, 200)) < 0.3


def test_ratios_of_counts_are_torchmetrics(sides: tuple[Mask, Mask]) -> None:
    counts = count_pairs(*sides)
    for ours, theirs in (
        (iou, binary_jaccard_index),
        (precision, binary_precision),
        (recall, binary_recall),
    ):
        for channel, value in enumerate(ours(counts)):
            preds, target = (torch.from_numpy(side[channel]).int() for side in sides)
            assert value == pytest.approx(float(theirs(preds, target)), rel=1e-6)


def test_counts_are_sizes_of_sets(sides: tuple[Mask, Mask]) -> None:
    for channel, row in enumerate(count_pairs(*sides)):
        marked, there = (set(np.flatnonzero(side[channel])) for side in sides)
        assert row.tolist() == [len(marked & there), len(marked), len(there)]


def test_pairs_add_up_to_counts(sides: tuple[Mask, Mask]) -> None:
    np.testing.assert_array_equal(pairs(*sides).sum(axis=1), count_pairs(*sides))


def test_counts_of_masks_add_up() -> None:
    one = MaskCounts(np.array([2, 0]), np.array([3, 5]), np.array([3, 0]))
    both = one + MaskCounts.zero(2) + one
    assert both.pred.tolist() == [6, 10]
    assert die_iou(both).tolist() == [0.5, 0.0]


def test_a_class_marked_but_absent_scores_0_and_one_on_neither_side_nan() -> None:
    found = die_iou(MaskCounts(np.array([0, 0]), np.array([5, 0]), np.array([0, 0])))
    assert found[0] == 0.0
    assert math.isnan(found[1])


def drawn_labels(rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    target = rng.choice([0, 1, 2, -1], 200, p=[0.1, 0.2, 0.1, 0.6])
    return np.where(rng.random(200) < 0.7, target, rng.integers(-1, 3, 200)), target


def test_macro_f1_is_torchmetrics(rng: np.random.Generator) -> None:
    preds, target = drawn_labels(rng)
    counts = count_single(preds, target, 3).sum(axis=0)
    one, other = (torch.from_numpy(side + 1) for side in (preds, target))
    each = multiclass_f1_score(one, other, num_classes=4, average=None)
    np.testing.assert_allclose(f1(counts), each.numpy()[[1, 2, 3, 0]], rtol=1e-6)
    theirs = multiclass_f1_score(one, other, num_classes=4, average="macro")
    assert macro_f1(counts) == pytest.approx(float(theirs), rel=1e-6)


def test_a_label_said_in_vain_scores_0_and_one_on_neither_side_does_not_count() -> None:
    counts = np.array([[3, 3, 3], [0, 2, 0], [0, 0, 0]])
    assert macro_f1(counts) == 0.5


def test_scores_are_taken_over_leading_axes(rng: np.random.Generator) -> None:
    counts = rng.integers(0, 9, (5, 4, 3))
    together = macro_f1(counts)
    np.testing.assert_allclose(together, [macro_f1(one) for one in counts])


def test_decide_against_a_loop(rng: np.random.Generator) -> None:
    probs, thresholds = rng.random((100, 3)), np.array([0.3, 0.6, 0.9])
    expected = []
    for row in probs:
        over = {n: p / t for n, (p, t) in enumerate(zip(row, thresholds, strict=True)) if p >= t}
        expected.append(max(over, key=lambda n: over[n]) if over else -1)
    assert decide(probs, thresholds).tolist() == expected
    assert set(expected) == {-1, 0, 1, 2}


def test_nothing_over_nothing_is_not_a_number() -> None:
    np.testing.assert_array_equal(divide(np.array([1.0, 0.0]), np.array([2.0, 0.0])), [0.5, np.nan])
    assert mean_of(np.array([np.nan, 1.0, 0.0])) == 0.5
    assert math.isnan(mean_of(np.full(2, np.nan)))
