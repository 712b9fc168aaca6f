"""Calibration against torchmetrics, and chance worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from waferscope.ml.evaluation.reliability import BINS, bin_counts, diagram, ece, perfect_ece


def test_ece_is_torchmetrics(rng: np.random.Generator) -> None:
    confidence = rng.random(500)
    right = rng.random(500) < confidence**1.5
    theirs = binary_calibration_error(
        torch.from_numpy(confidence), torch.from_numpy(right).int(), n_bins=BINS, norm="l1"
    )
    assert ece(bin_counts(confidence, right).sum(axis=0)) == pytest.approx(float(theirs), abs=1e-6)


def test_certainty_that_is_right_has_no_error() -> None:
    counts = bin_counts(np.ones(3), np.ones(3, bool))
    assert counts[:, BINS - 1, 0].tolist() == [1.0, 1.0, 1.0]
    assert ece(counts.sum(axis=0)) == 0.0


def test_resamples_are_scored_at_once(rng: np.random.Generator) -> None:
    counts = bin_counts(rng.random(40), rng.random(40) < 0.5)
    weights = rng.integers(0, 3, (6, 40))
    together = ece(np.tensordot(weights, counts, axes=1))
    each = [ece((w[:, None, None] * counts).sum(axis=0)) for w in weights]
    np.testing.assert_allclose(together, each)


def test_a_perfect_model_errs_by_chance_alone() -> None:
    """One bin of 900 fair coins: the mean deviation of a normal, sqrt(2 / pi) * 0.5 / 30."""
    expected = math.sqrt(2 / math.pi) * 0.5 / math.sqrt(900)
    assert perfect_ece(np.full(900, 0.5)) == pytest.approx(expected, rel=0.15)
    assert perfect_ece(np.ones(50)) == 0.0
    assert perfect_ece(np.full(9, 0.5)) > perfect_ece(np.full(900, 0.5))


def test_the_diagram_shows_the_bins_that_are_used() -> None:
    counts = bin_counts(np.array([0.02, 0.04, 0.9, 0.9]), np.array([False, True, True, True]))
    bins = diagram(counts.sum(axis=0))
    assert [b["share"] for b in bins] == [0.5, 0.5]
    assert [b["right"] for b in bins] == [0.5, 1.0]
    assert [b["confidence"] for b in bins] == pytest.approx([0.03, 0.9])
