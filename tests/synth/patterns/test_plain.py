"""Plain shapes: each has a zone in which dies fail, or none at all."""

from __future__ import annotations

import numpy as np
import pytest

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.synth.grid import build_grid
from waferscope.synth.patterns.plain import SHAPES

LEAST = {"chunk": 10, "gradient": 15, "fields": 25, "line": 35}
"""Draws of 60 that find room, where many do not."""
GRIDS = [build_grid((27, 25), 1), build_grid((52, 52), 0), build_grid((90, 70), 2)]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_shape_fails_in_its_zone_and_finds_room_mostly(name: str) -> None:
    shape = SHAPES[name]
    assert shape.class_name in DEFAULT_TAXONOMY.class_names
    assert shape.label is None or DEFAULT_TAXONOMY.pattern_class[shape.label] == shape.class_name
    found = 0
    for n in range(60):
        grid = GRIDS[n % 3]
        zone, chance = shape.draw(np.random.default_rng((6, n)), grid)
        assert zone.shape == chance.shape == grid.shape
        assert zone.dtype == bool
        assert chance.dtype == np.float32
        assert 0.0 <= float(chance.min()) <= float(chance.max()) <= 1.0
        if not (zone & grid.on).any():
            continue
        found += 1
        if name != "gradient":
            assert not chance[grid.on & ~zone].any()
        assert float(chance[zone].max()) > 0.35
    assert found > LEAST.get(name, 45)


def test_repeaters_repeat() -> None:
    grid = GRIDS[1]
    for n in range(20):
        zone, _ = SHAPES["repeater"].draw(np.random.default_rng((7, n)), grid)
        rows, cols = (np.flatnonzero(zone.any(axis=axis)) for axis in (1, 0))
        assert np.array_equal(zone[np.ix_(rows, cols)], np.ones((len(rows), len(cols)), bool))
        assert len(rows) >= 3


def test_lines_do_not_follow_the_rim() -> None:
    for n in range(60):
        grid = GRIDS[n % 3]
        zone, _ = SHAPES["line"].draw(np.random.default_rng((8, n)), grid)
        assert int((zone & grid.rim).sum()) <= 0.35 * int(zone.sum())
