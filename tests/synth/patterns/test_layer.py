from __future__ import annotations

import numpy as np
import pytest

from waferscope.domain.wafermap import Reticle
from waferscope.synth import SynthConfig
from waferscope.synth.grid import build_grid
from waferscope.synth.patterns.layer import (
    Scene,
    blob_level,
    ellipse_level,
    in_arc,
    solid_layer,
)

GRID = build_grid((60, 60), 1)


def make_scene(*, dense: bool = False) -> Scene:
    return Scene(GRID, GRID.on, Reticle(5, 5), SynthConfig(), dense=dense)


def test_ellipse_has_the_area_of_its_disc(rng: np.random.Generator) -> None:
    for stretch in (1.0, 1.5, 2.5):
        inside = ellipse_level(rng, GRID, (0.1, -0.1), stretch) < 0.4
        assert inside.sum() * 4 / GRID.on.size == pytest.approx(np.pi * 0.4**2, rel=0.06)


def test_level_is_lowest_at_the_centre(rng: np.random.Generator) -> None:
    for _ in range(20):
        level = blob_level(rng, GRID, (0.3, -0.4), 0.2, 2.0)
        row, col = np.unravel_index(level.argmin(), level.shape)
        assert abs(GRID.y[row, col] - 0.3) < 0.05
        assert abs(GRID.x[row, col] + 0.4) < 0.05


def test_small_blobs_are_not_drawn_thinner_than_two_dies(rng: np.random.Generator) -> None:
    for _ in range(20):
        inside = blob_level(rng, GRID, (0.0, 0.0), 0.08, 6.0) < 1
        rows, cols = inside.any(axis=1).sum(), inside.any(axis=0).sum()
        assert min(rows, cols) >= 2


def test_arc_covers_its_share_and_wraps() -> None:
    share = in_arc(GRID, np.pi - 0.2, 0.4)[GRID.on].mean()
    assert share == pytest.approx(0.4 / (2 * np.pi), rel=0.15)
    assert in_arc(GRID, 0.3, 2 * np.pi).all()


def test_layer_keeps_to_tested_dies_and_fades_to_its_border(rng: np.random.Generator) -> None:
    level = GRID.rho / 0.5
    for _ in range(30):
        layer = solid_layer(rng, make_scene(), "center", level < 1, level)
        assert not (layer.zone & ~GRID.on).any()
        assert (layer.prob[~layer.zone] == 0).all()
        heart, border = layer.prob[level < 0.2].mean(), layer.prob[layer.zone & (level > 0.9)]
        assert 0.5 <= heart <= 1.0
        assert (border <= heart + 1e-6).all()
        assert border.min() > 0.19


def test_dense_scenes_get_dense_zones(rng: np.random.Generator) -> None:
    drawn = [make_scene(dense=True).strength(rng) for _ in range(100)]
    assert min(drawn) >= 0.92
    faint = [make_scene().strength(rng) for _ in range(300)]
    assert min(faint) >= 0.5
    assert min(faint) < 0.6
