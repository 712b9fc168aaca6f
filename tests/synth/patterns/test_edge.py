from __future__ import annotations

import numpy as np
import pytest

from tests.synth.measure import outermost, polar, span_deg, wafers_with
from waferscope.synth.grid import build_grid
from waferscope.synth.patterns import angular_cover


@pytest.mark.parametrize("shape", [(20, 22), (25, 27), (52, 52), (89, 56)])
def test_edge_hugs_the_rim(shape: tuple[int, int]) -> None:
    rho, theta = polar(shape)
    labels: set[str] = set()
    for wafer, zone in wafers_with("edge", 40, shape=shape):
        on_rim = zone & outermost(wafer.dies > 0)
        assert on_rim.any()
        assert rho[zone].max() >= 0.9
        assert np.median(rho[zone]) > 0.55
        assert span_deg(zone, theta) >= 15 - 360 / (2 * sum(shape))
        labels.update(wafer.patterns)
        if wafer.patterns == ("Edge-Loc",):
            assert np.unique(np.degrees(theta[on_rim]) // 30).size <= 11
        else:
            assert span_deg(zone, theta) > 250
    assert labels == {"Edge-Loc", "Edge-Ring"}


@pytest.mark.parametrize("degrees", [30, 90, 180, 280, 360])
def test_cover_measures_the_rim(degrees: float) -> None:
    grid = build_grid((60, 56), 1)
    arc = np.mod(np.degrees(grid.theta), 360) <= degrees
    assert angular_cover(grid, grid.on & arc) == pytest.approx(degrees, abs=10)


def test_cover_ignores_dies_inside_the_rim() -> None:
    grid = build_grid((40, 40), 1)
    assert angular_cover(grid, grid.on & (grid.rho < 0.8)) == 0
