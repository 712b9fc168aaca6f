"""Pseudo-labels: thresholds per class that follow confidence, and zones that follow their dies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from waferscope.ml.pseudo import MEMORY, ClassThresholds, SurestThresholds, follow, overlay


def test_thresholds_follow_the_mean_confidence_of_their_class_by_a_loop() -> None:
    thresholds = ClassThresholds(3, start=0.95, floor=0.7, momentum=0.8)
    rng = np.random.default_rng(0)
    yes, no = np.full(3, 0.95), np.full(3, 0.95)
    for _ in range(40):
        probs = rng.random((20, 3)) * [1.0, 0.45, 0.9]
        thresholds.update(torch.tensor(probs, dtype=torch.float32))
        for held, confidence in ((yes, probs), (no, 1.0 - probs)):
            for k in range(3):
                sure = confidence[:, k][confidence[:, k] >= 0.5]
                if len(sure):
                    held[k] = np.clip(0.8 * held[k] + 0.2 * sure.mean(), 0.7, 0.95)
        np.testing.assert_allclose(thresholds.yes, yes, rtol=1e-5)
        np.testing.assert_allclose(thresholds.no, no, rtol=1e-5)
    assert thresholds.yes[1] == pytest.approx(0.95)  # never once above one half
    assert thresholds.yes[0] < 0.85


def test_confidence_that_grows_raises_the_bar_again() -> None:
    thresholds = ClassThresholds(1, start=0.95, floor=0.6, momentum=0.5)
    for _ in range(20):
        thresholds.update(torch.full((8, 1), 0.65))
    assert float(thresholds.yes) == pytest.approx(0.65, abs=1e-3)
    for _ in range(20):
        thresholds.update(torch.full((8, 1), 0.99))
    assert float(thresholds.yes) == pytest.approx(0.95)


def test_thresholds_are_saved_with_the_run() -> None:
    assert set(ClassThresholds(2, 0.95, 0.7, 0.9).state_dict()) == {"yes", "no"}


def test_only_what_the_teacher_is_sure_of_is_taught() -> None:
    thresholds = ClassThresholds(2, start=0.9, floor=0.6, momentum=0.9)
    thresholds.yes[1], thresholds.no[1] = 0.7, 0.8
    probs = torch.tensor([[0.95, 0.75], [0.75, 0.15], [0.05, 0.25], [0.9, 0.3]])
    expected = [[1, 1], [-1, 0], [0, -1], [1, -1]]
    assert thresholds.label(probs).tolist() == expected
    dies = probs[:, :, None, None].expand(-1, -1, 2, 3)
    labels = thresholds.label(dies)
    assert labels.dtype == torch.int8
    assert labels[:, :, 1, 2].tolist() == expected


def surest(*shares: float) -> SurestThresholds:
    return SurestThresholds(torch.tensor(shares), 0.35, 0.95, 0.7, 0.9)


def test_as_many_are_let_in_as_should_have_the_label() -> None:
    thresholds = surest(0.1, 0.5)
    probs = torch.linspace(0.0, 0.9, 1000)[:, None].expand(-1, 2)
    thresholds.update(probs)
    found = (thresholds.label(probs) == 1).float().mean(dim=0)
    assert found.tolist() == pytest.approx([0.1, 0.5], abs=0.002)
    # Their "no" stays that of the mean confidence.
    plain = ClassThresholds(2, 0.95, 0.7, 0.9)
    plain.update(probs)
    assert thresholds.no.tolist() == plain.no.tolist()


def test_a_label_that_nothing_speaks_for_is_not_taught() -> None:
    thresholds = surest(0.5, 0.0)
    thresholds.update(torch.tensor([[0.3, 0.9], [0.1, 0.2]]).repeat(50, 1))
    assert thresholds.yes.tolist() == pytest.approx([0.35, 0.95])  # the lowest, and the start


def test_only_the_last_answers_count_and_they_are_saved() -> None:
    thresholds = surest(0.5)
    thresholds.update(torch.full((300, 1), 0.9))
    for _ in range(MEMORY // 128):
        thresholds.update(torch.full((128, 1), 0.6))
    assert float(thresholds.yes) == pytest.approx(0.6)
    again = surest(0.5)
    again.load_state_dict(thresholds.state_dict())
    for one in (thresholds, again):
        one.update(torch.full((700, 1), 0.8))
    assert float(again.yes) == float(thresholds.yes)


def test_zones_follow_their_dies_by_a_loop() -> None:
    rng = np.random.default_rng(1)
    zones = torch.from_numpy(rng.integers(-1, 2, (2, 3, 4, 5)).astype(np.int8))
    source = torch.from_numpy(rng.integers(-1, 20, (2, 4, 5)))
    moved = follow(zones, source)
    assert moved.dtype == torch.int8
    for wafer, row, col in np.ndindex(2, 4, 5):
        place = int(source[wafer, row, col])
        expected = zones[wafer, :, place // 5, place % 5].tolist() if place >= 0 else [-1] * 3
        assert moved[wafer, :, row, col].tolist() == expected


def test_what_was_laid_on_top_wins() -> None:
    below, above = torch.tensor([-1, 0, 1, -1, 0]), torch.tensor([1, 1, -1, -1, 0])
    assert overlay(below, above).tolist() == [1, 1, 1, -1, 0]
