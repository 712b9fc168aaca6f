"""Densities and depths against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from waferscope.synth.neighbourhood import fail_density, rim_depth


def test_density_is_the_weighted_share_of_the_dies_that_are_there(
    rng: np.random.Generator,
) -> None:
    present = rng.random((12, 9)) < 0.8
    fails = present & (rng.random((12, 9)) < 0.3)
    density = fail_density(fails, present, 1.3)
    for row, col in np.argwhere(present):
        r, c = np.indices(present.shape)
        weight = np.exp(-((r - row) ** 2 + (c - col) ** 2) / (2 * 1.3**2)) * present
        expected = (weight * fails).sum() / weight.sum()
        assert density[row, col] == pytest.approx(expected, abs=2e-3)
    assert not density[~present].any()


def test_density_does_not_fade_at_the_rim() -> None:
    present = np.ones((10, 10), dtype=bool)
    fails = np.zeros_like(present)
    fails[:, ::2] = True
    density = fail_density(fails, present, 3.0)
    assert density[0, 5] == pytest.approx(density[5, 5], abs=1e-5)


def test_depth_is_the_chessboard_distance_to_the_outside() -> None:
    row, col = np.indices((17, 13))
    present = ((row - 8) / 8.5) ** 2 + ((col - 6) / 6.5) ** 2 < 1
    outside = np.argwhere(~np.pad(present, 1)) - 1
    depth = rim_depth(present)
    for r, c in np.argwhere(present):
        assert depth[r, c] == np.abs(outside - (r, c)).max(axis=1).min()
    assert not depth[~present].any()


def test_a_missing_die_inside_is_not_the_outside() -> None:
    present = np.ones((11, 11), dtype=bool)
    whole = rim_depth(present)
    present[5, 5] = False
    holed = rim_depth(present)
    assert holed[5, 5] == 0
    np.testing.assert_array_equal(holed[present], whole[present])
