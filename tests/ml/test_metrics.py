"""Scores against torchmetrics and against sets of dies."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_f1_score,
    binary_jaccard_index,
    multiclass_f1_score,
    multilabel_exact_match,
)

from waferscope.ml.metrics import (
    MaskCounts,
    count_masks,
    die_iou,
    exact_match,
    f1,
    macro_f1,
    single_label,
)

Mask = npt.NDArray[np.bool_]
NAMES = ("a", "b", "c", "none")


def wafer(rng: np.random.Generator, classes: int = 4) -> tuple[Mask, Mask, Mask]:
    shape = tuple(int(n) for n in rng.integers(4, 12, 2))
    preds, target = (rng.random((classes, *shape)) < 0.4 for _ in range(2))
    return preds, target, rng.random(shape) < 0.2


def test_pooled_iou_is_torchmetrics_over_all_dies(rng: np.random.Generator) -> None:
    wafers = [wafer(rng) for _ in range(7)]
    total = MaskCounts.zero(4)
    for preds, target, ignore in wafers:
        total = total + count_masks(preds, target, ignore)
    for channel, iou in enumerate(die_iou(total)):
        flat = [
            torch.from_numpy(np.concatenate([w[side][channel][~w[2]] for w in wafers]))
            for side in (0, 1)
        ]
        theirs = binary_jaccard_index(flat[0].int(), flat[1].int())
        assert iou == pytest.approx(float(theirs), rel=1e-6)


def test_counts_are_sizes_of_sets(rng: np.random.Generator) -> None:
    preds, target, ignore = wafer(rng)
    counts = count_masks(preds, target, ignore)
    hidden = set(zip(*np.nonzero(ignore), strict=True))
    for channel in range(4):
        marked, there = (
            set(zip(*np.nonzero(side[channel]), strict=True)) - hidden for side in (preds, target)
        )
        assert counts.both[channel] == len(marked & there)
        assert counts.pred[channel] == len(marked)
        assert counts.truth[channel] == len(there)


def test_ignored_dies_are_the_only_ones_left_out(rng: np.random.Generator) -> None:
    preds, target, _ = wafer(rng)
    everything = count_masks(preds, target)
    nothing = count_masks(preds, target, np.ones(preds.shape[1:], bool))
    np.testing.assert_array_equal(everything.pred, preds.sum(axis=(1, 2)))
    assert not nothing.pred.any()
    assert np.isnan(die_iou(nothing)).all()


def test_a_class_marked_but_absent_scores_0_and_one_on_neither_side_nan() -> None:
    found = die_iou(MaskCounts(np.array([0, 0]), np.array([5, 0]), np.array([0, 0])))
    assert found[0] == 0.0
    assert math.isnan(found[1])


def drawn_labels(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    target = rng.choice(NAMES, 200, p=[0.1, 0.2, 0.1, 0.6])
    preds = np.where(rng.random(200) < 0.7, target, rng.choice(NAMES, 200))
    return preds.tolist(), target.tolist()


def test_macro_f1_is_torchmetrics(rng: np.random.Generator) -> None:
    preds, target = drawn_labels(rng)
    one, other = (torch.tensor([NAMES.index(n) for n in side]) for side in (preds, target))
    theirs = multiclass_f1_score(one, other, num_classes=4, average="macro")
    assert macro_f1(preds, target, NAMES) == pytest.approx(float(theirs), rel=1e-6)


def test_f1_of_one_label_is_torchmetrics(rng: np.random.Generator) -> None:
    preds, target = drawn_labels(rng)
    for name in NAMES:
        one, other = (torch.tensor([int(n == name) for n in side]) for side in (preds, target))
        theirs = float(binary_f1_score(one, other))
        assert f1(preds, target, name) == pytest.approx(theirs, rel=1e-6)


def test_a_label_on_neither_side_scores_0() -> None:
    assert f1(["a"], ["a"], "b") == 0.0
    assert macro_f1(["a"], ["a"], ["a", "b"]) == 0.5


def test_exact_match_is_torchmetrics(rng: np.random.Generator) -> None:
    target = rng.random((60, 5)) < 0.3
    preds = target ^ (rng.random((60, 5)) < 0.1)
    theirs = multilabel_exact_match(
        torch.from_numpy(preds).int(), torch.from_numpy(target).int(), num_labels=5
    )
    assert exact_match(preds, target) == pytest.approx(float(theirs))
    assert math.isnan(exact_match(preds[:0], target[:0]))


def test_single_label_against_a_loop(rng: np.random.Generator) -> None:
    probs, thresholds = rng.random((100, 3)), np.array([0.3, 0.6, 0.9])
    expected = []
    for row in probs:
        over = {n: p / t for n, p, t in zip("abc", row, thresholds, strict=True) if p >= t}
        expected.append(max(over, key=lambda n: over[n]) if over else "none")
    assert single_label(probs, thresholds, "abc") == expected
    assert set(expected) == set(NAMES)
