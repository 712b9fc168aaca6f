"""Losses against plain loops; what is unknown has no say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from waferscope.ml.losses import bag_loss, dice_loss, drift_loss, focal_loss, pattern_loss

SHAPE = (2, 3, 5, 4)


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def entropy(logit: float, truth: float) -> float:
    p = sigmoid(logit)
    return -(truth * math.log(p) + (1.0 - truth) * math.log(1.0 - p))


def drawn(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, targets of 1, 0 and -1, and weights that are 0 where the truth is unknown."""
    torch.manual_seed(seed)
    target = torch.randint(-1, 2, SHAPE, dtype=torch.int8)
    weight = torch.rand(SHAPE) * (target >= 0)
    return torch.randn(SHAPE) * 2, target, weight


def every(shape: tuple[int, ...] = SHAPE) -> itertools.product[tuple[int, ...]]:
    return itertools.product(*map(range, shape))


@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
def test_focal_loss_against_a_loop(gamma: float) -> None:
    logits, target, weight = drawn()
    loss, positive, known = np.zeros(3), np.zeros(3), np.zeros(3)
    for at in every():
        x, t, w, c = float(logits[at]), float(target[at]), float(weight[at]), at[1]
        if t < 0:
            continue
        right = sigmoid(x) if t else 1.0 - sigmoid(x)
        loss[c] += -w * (1.0 - right) ** gamma * math.log(right)
        positive[c] += w * t
        known[c] += w
    expected = np.mean(loss / np.maximum(positive + 0.05 * known, 1.0))
    assert float(focal_loss(logits, target, weight, gamma)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_one_die_by_hand() -> None:
    """One sure miss, p = 0.25 of the truth: 0.75^2 * ln 4, over a scale of at least 1."""
    logit = torch.full((1, 1, 1, 1), math.log(1 / 3))
    one = torch.ones(1, 1, 1, 1)
    found = focal_loss(logit, one.to(torch.int8), one, 2.0)
    assert float(found) == pytest.approx(0.75**2 * math.log(4) / 1.05)


def test_dice_loss_against_a_loop() -> None:
    logits, target, weight = drawn(1)
    both, total = np.zeros(3), np.zeros(3)
    for at in every():
        p, w = sigmoid(float(logits[at])), float(weight[at])
        t = max(0.0, float(target[at]))
        both[at[1]] += p * t * w
        total[at[1]] += p * w + t * w
    expected = np.mean(1.0 - (2.0 * both + 5.0) / (total + 5.0))
    assert float(dice_loss(logits, target, weight)) == pytest.approx(expected, rel=1e-5)


def test_dice_loss_is_0_for_the_truth_and_near_1_for_its_opposite() -> None:
    target = (torch.rand(2, 1, 40, 40) > 0.5).to(torch.int8)
    right = (target * 2.0 - 1.0) * 50.0
    weight = torch.ones_like(right)
    assert float(dice_loss(right, target, weight)) == pytest.approx(0.0, abs=1e-5)
    assert float(dice_loss(-right, target, weight)) > 0.99


def test_dice_loss_is_0_for_the_truth_whatever_the_dies_weigh() -> None:
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    weight = torch.tensor([[[[1.0, 0.25, 0.5, 1.0]]]])
    assert float(dice_loss(60.0 * target - 30.0, target, weight)) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("name", ["focal", "dice"])
def test_unknown_dies_have_no_gradient_and_no_say(name: str) -> None:
    logits, target, weight = drawn(2)

    def loss(values: Tensor) -> Tensor:
        if name == "focal":
            return focal_loss(values, target, weight, 1.5)
        return dice_loss(values, target, weight)

    leaf = logits.clone().requires_grad_()
    loss(leaf).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    unknown = target < 0
    assert not leaf.grad[unknown].any()
    assert leaf.grad[~unknown].all()
    changed = torch.where(unknown, logits + 7.0, logits)
    torch.testing.assert_close(loss(changed), loss(logits))


@pytest.mark.parametrize("name", ["focal", "dice"])
def test_a_class_without_known_dies_does_not_count(name: str) -> None:
    logits, target, weight = drawn(3)
    blind = torch.ones(SHAPE)
    blind[:, 1] = 0.0

    def loss(classes: list[int]) -> Tensor:
        x, t, w = (tensor[:, classes] for tensor in (logits, target, weight * blind))
        return focal_loss(x, t, w, 1.5) if name == "focal" else dice_loss(x, t, w)

    torch.testing.assert_close(loss([0, 1, 2]), loss([0, 2]))
    assert float(loss([1])) == 0.0


def bag_by_loop(logits: Tensor, bag: Tensor, fail: Tensor) -> float:
    terms = []
    for b, c in itertools.product(range(len(bag)), range(bag.shape[1])):
        if not bag[b, c]:
            continue
        sure = sorted((sigmoid(float(x)) for x in logits[b, c][fail[b]]), reverse=True)
        wanted = min(max(float(np.float32(len(sure)) * np.float32(0.05)), 4.0), max(len(sure), 1))
        chosen = sure[: math.ceil(wanted)]
        mean = sum(chosen) / max(1, len(chosen))
        terms.append(-math.log(max(mean, 1e-4)))
    return sum(terms) / len(terms)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_bag_loss_by_brute_force(seed: int, share: float) -> None:
    """From no failing die at all to 140, of which 5 % are seven."""
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 14, 10, generator=rng) * 2
    fail = torch.rand(2, 14, 10, generator=rng) < share
    bag = torch.rand(2, 3, generator=rng) < 0.6
    bag[0, 0] = True
    expected = bag_by_loop(logits, bag, fail)
    assert float(bag_loss(logits, bag, fail)) == pytest.approx(expected, rel=1e-4)


def test_bag_loss_pulls_the_surest_failing_dies_alone() -> None:
    torch.manual_seed(4)
    logits = torch.randn(1, 2, 6, 6, requires_grad=True)
    fail = torch.rand(1, 6, 6) < 0.7
    bag_loss(logits, torch.tensor([[True, False]]), fail).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    pulled = logits.grad[0, 0] < 0
    assert int(pulled.sum()) == 4
    assert fail[0][pulled].all()
    assert logits[0, 0][pulled].min() >= logits[0, 0][fail[0] & ~pulled].max()
    assert not logits.grad[0, 1].any()


def test_no_bag_no_loss() -> None:
    logits = torch.randn(SHAPE, requires_grad=True)
    loss = bag_loss(logits, torch.zeros(2, 3, dtype=torch.bool), torch.ones(2, 5, 4) > 0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.02])
def test_pattern_loss_against_a_loop(smoothing: float) -> None:
    torch.manual_seed(5)
    logits = torch.randn(6, 4, requires_grad=True)
    target = torch.randint(-1, 2, (6, 4), dtype=torch.int8)
    weight = torch.rand(6) * 3
    total = known = 0.0
    for b, p in every((6, 4)):
        if target[b, p] >= 0:
            truth = smoothing if target[b, p] == 0 else 1.0 - smoothing
            total += float(weight[b]) * entropy(float(logits[b, p]), truth)
            known += float(weight[b])
    loss = pattern_loss(logits, target, weight, smoothing)
    assert float(loss) == pytest.approx(total / known, rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert not logits.grad[target < 0].any()


def test_labels_all_unknown_cost_nothing() -> None:
    unknown = torch.full((2, 4), -1, dtype=torch.int8)
    assert float(pattern_loss(torch.randn(2, 4), unknown, torch.ones(2), 0.02)) == 0.0


def test_drift_is_the_divergence_of_each_label() -> None:
    known = torch.tensor([[0.0, 2.0], [-3.0, 1.0]])
    logits = torch.tensor([[1.0, 2.0], [-3.0, -1.0]])
    total = 0.0
    for k, s in zip(known.flatten().tolist(), logits.flatten().tolist(), strict=True):
        p, q = sigmoid(k), sigmoid(s)
        total += p * math.log(p / q) + (1.0 - p) * math.log((1.0 - p) / (1.0 - q))
    assert float(drift_loss(logits, known)) == pytest.approx(total / 2.0, rel=1e-5)
    assert float(drift_loss(known, known)) == pytest.approx(0.0, abs=1e-7)
