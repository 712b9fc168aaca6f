from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.synth.measure import outermost, polar
from waferscope.synth import SynthConfig
from waferscope.synth.grid import OUTLINES, build_grid, draw_present, smooth_noise

sides = st.integers(8, 70)


@settings(max_examples=30, deadline=None)
@given(sides, sides, st.integers(0, OUTLINES - 1))
def test_outline_is_a_disc_that_fills_its_array(rows: int, cols: int, outline: int) -> None:
    grid = build_grid((rows, cols), outline)
    rho, theta = polar((rows, cols))
    assert np.allclose(grid.rho, rho, atol=1e-5)
    turn = np.abs(grid.theta - theta)
    assert (np.minimum(turn, 2 * np.pi - turn) < 1e-4).all() or (rho.min() < 1e-6)
    assert rho[grid.on].max() <= rho[~grid.on].min()
    for border in (grid.on[0], grid.on[-1], grid.on[:, 0], grid.on[:, -1]):
        assert border.any()
    assert (grid.on == grid.on[::-1]).all()
    assert (grid.on == grid.on[:, ::-1]).all()


def test_rim_is_the_outermost_dies() -> None:
    for shape in ((25, 27), (40, 31)):
        grid = build_grid(shape, 2)
        assert (grid.rim == outermost(grid.on)).all()
        assert (grid.depth[grid.rim] == 1).all()
        assert (grid.depth[grid.on & ~grid.rim] > 1).all()


def test_fill_is_near_that_of_real_wafers() -> None:
    # WM-811K: p5 0.745, median 0.776, p95 0.80 of the array holds a die.
    fills = [build_grid((r, r + 2), k).on.mean() for r in (26, 38, 52) for k in range(OUTLINES)]
    assert min(fills) > 0.68
    assert max(fills) < 0.83
    assert 0.74 < float(np.median(fills)) < 0.80


def test_shared_arrays_are_read_only() -> None:
    grid = build_grid((20, 20), 0)
    assert build_grid((20, 20), 0) is grid
    with pytest.raises(ValueError, match="read-only"):
        grid.on[0, 0] = True


def test_smooth_noise_has_unit_variance_and_no_jumps(rng: np.random.Generator) -> None:
    fields = np.stack([smooth_noise(rng, (40, 50), 6) for _ in range(400)])
    assert abs(fields.mean()) < 0.05
    assert np.allclose(fields.std(axis=0), 1, atol=0.2)
    assert np.abs(np.diff(fields, axis=1)).mean() < 0.15


def test_missing_dies_lie_inside_and_keep_the_borders(rng: np.random.Generator) -> None:
    config = SynthConfig(missing_share=1.0, notch_share=1.0)
    grid = build_grid((30, 34), 1)
    lost = []
    for _ in range(200):
        present = draw_present(rng, grid, config)
        assert not (present & ~grid.on).any()
        assert present[0].any()
        assert present[-1].any()
        assert present[:, 0].any()
        assert present[:, -1].any()
        lost.append(int((grid.on & ~present).sum()))
    assert np.mean([n > 0 for n in lost]) > 0.8
    assert np.median(lost) < 0.08 * grid.on.sum()
    whole = SynthConfig(missing_share=0.0, notch_share=0.0)
    assert (draw_present(rng, grid, whole) == grid.on).all()
