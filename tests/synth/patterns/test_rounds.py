from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tests.synth.measure import centroid_rho, equal_radius, outermost, polar, span_deg, wafers_with
from waferscope.synth.grid import build_grid
from waferscope.synth.patterns.rounds import hugs_rim

SHAPES = ((20, 22), (25, 27), (52, 52), (89, 56))


@pytest.mark.parametrize("shape", SHAPES)
def test_center_lies_over_the_middle(shape: tuple[int, int]) -> None:
    for wafer, zone in wafers_with("center", 25, shape=shape):
        assert centroid_rho(zone) <= 0.25
        assert 0.08 <= equal_radius(zone) <= 0.40
        assert wafer.patterns == ("Center",)


@pytest.mark.parametrize("shape", SHAPES)
def test_ring_is_an_annulus_around_the_middle(shape: tuple[int, int]) -> None:
    rho, theta = polar(shape)
    closed = 0
    drawn = wafers_with("ring", 25, shape=shape)
    for wafer, zone in drawn:
        assert rho[zone].min() >= 0.12
        assert rho[zone].max() <= 0.8
        assert not zone[rho <= 0.12].any()
        assert span_deg(zone, theta) >= 140  # 150 about its own centre, seen from the wafer's
        closed += span_deg(zone, theta) > 330
        assert wafer.patterns == ("Donut",)
    assert 0 < closed < len(drawn)


@pytest.mark.parametrize("shape", SHAPES)
def test_particles_are_compact_and_away_from_the_middle(shape: tuple[int, int]) -> None:
    several = 0
    for wafer, zone in wafers_with("particle", 30, shape=shape):
        parts, count = ndimage.label(zone, np.ones((3, 3)))
        several += count > 1
        largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
        assert 0.04 <= equal_radius(largest) <= 0.5
        if count == 1:
            assert centroid_rho(zone) > 0.3
            assert equal_radius(zone) <= 0.5  # 0.35, or two that touch
        touching = int((largest & outermost(build_grid(shape, 3).on)).sum())
        assert touching <= 0.6 * largest.sum() + 4
        assert wafer.patterns == ("Loc",)
    assert several > 0


def test_a_long_shallow_region_hugs_the_rim_and_a_deep_narrow_one_does_not() -> None:
    grid = build_grid((40, 40), 1)
    shallow = grid.on & (grid.depth <= 2) & (grid.x > 0)
    deep = grid.on & (grid.x > 0) & (np.abs(grid.y) < 0.06)
    inside = grid.rho < 0.3
    assert hugs_rim(grid, shallow)
    assert not hugs_rim(grid, deep)
    assert not hugs_rim(grid, inside)
