from __future__ import annotations

import numpy as np
import pytest

from tests.synth.measure import wafers_with
from waferscope.domain.wafermap import Reticle
from waferscope.synth import SynthConfig
from waferscope.synth.grid import build_grid
from waferscope.synth.patterns.layer import Scene
from waferscope.synth.patterns.wide import draw_etching, draw_random

GRID = build_grid((50, 46), 1)
SCENE = Scene(GRID, GRID.on, Reticle(5, 5), SynthConfig())


def test_etching_zone_is_where_the_probability_passes_a_quarter(rng: np.random.Generator) -> None:
    layers = [draw_etching(rng, SCENE) for _ in range(100)]
    drawn = [layer for layer in layers if layer is not None]
    assert len(drawn) > 30
    for layer in drawn:
        assert (layer.zone == ((layer.prob > 0.25) & GRID.on)).all()
        assert 0.15 <= layer.zone.sum() / GRID.on.sum() <= 0.75
        assert layer.prob.max() >= 0.6
        steps = np.abs(np.diff(layer.prob, axis=0))[GRID.on[1:] & GRID.on[:-1]]
        assert steps.max() < 0.25  # a gradient: no border


def test_etching_comes_from_every_side(rng: np.random.Generator) -> None:
    angles, rims = [], 0
    for _ in range(150):
        layer = draw_etching(rng, SCENE)
        if layer is None:
            continue
        y, x = GRID.y[layer.zone].mean(), GRID.x[layer.zone].mean()
        rims += np.hypot(y, x) < 0.3
        angles.append(np.degrees(np.arctan2(y, x)) % 360)
    assert rims > 3
    assert np.unique(np.asarray(angles) // 90).size == 4


def test_random_zone_is_what_the_others_leave(rng: np.random.Generator) -> None:
    taken = GRID.rho < 0.3
    layer = draw_random(rng, SCENE, taken, 0.6)
    assert (layer.zone == (GRID.on & ~taken)).all()
    assert layer.prob[GRID.on].mean() <= 0.7
    assert (layer.prob[~GRID.on] == 0).all()


@pytest.mark.parametrize("shape", [(20, 20), (52, 52)])
def test_random_fails_at_least_35_percent_of_the_dies(shape: tuple[int, int]) -> None:
    labels = []
    for wafer, zone in wafers_with("random", 40, shape=shape):
        rate = (wafer.dies == 2).sum() / (wafer.dies > 0).sum()
        assert rate >= 0.35
        assert (zone == (wafer.dies > 0)).all()
        labels.append(wafer.patterns)
        assert wafer.patterns == (("Near-full",) if rate >= 0.8 else ("Random",))
    assert set(labels) == {("Random",), ("Near-full",)}
