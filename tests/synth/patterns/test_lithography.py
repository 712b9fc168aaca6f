from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.wafermap import Reticle
from waferscope.synth import SynthConfig, build_wafer
from waferscope.synth.patterns import draw_reticle


@settings(max_examples=50, deadline=None)
@given(st.integers(8, 320), st.integers(8, 320), st.integers(0, 10**6))
def test_fields_are_2_to_16_dies_a_side(rows: int, cols: int, seed: int) -> None:
    field = draw_reticle(np.random.default_rng(seed), (rows, cols))
    assert 2 <= field.rows <= max(2, min(16, rows // 3))
    assert 2 <= field.cols <= max(2, min(16, cols // 3))
    assert 0 <= field.row_offset < field.rows
    assert 0 <= field.col_offset < field.cols


def positions_and_fields(
    zone: np.ndarray, field: Reticle
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the positions within the field and the fields that a zone uses, die by die."""
    positions, fields = set(), set()
    for row, col in np.argwhere(zone):
        down, right = row - field.row_offset, col - field.col_offset
        positions.add((int(down % field.rows), int(right % field.cols)))
        fields.add((int(down // field.rows), int(right // field.cols)))
    return positions, fields


@pytest.mark.parametrize("shape", [(25, 27), (48, 48), (89, 56)])
def test_zones_repeat_positions_or_fill_fields(shape: tuple[int, int]) -> None:
    config = SynthConfig(reticle_share=1.0, missing_share=0.0, notch_share=0.0)
    repeaters = whole = 0
    for seed in range(40):
        wafer = build_wafer(
            np.random.default_rng((5, seed)), config, shape=shape, classes=["lithography"]
        )
        if not wafer.classes:
            continue
        assert wafer.reticle is not None
        assert wafer.patterns == ()
        field, on = wafer.reticle, wafer.dies > 0
        zone = np.asarray(wafer.zones.any(axis=0))
        positions, fields = positions_and_fields(zone, field)
        expected = np.zeros(shape, dtype=bool)
        for row, col in product(range(shape[0]), range(shape[1])):
            down, right = row - field.row_offset, col - field.col_offset
            position = (down % field.rows, right % field.cols)
            expected[row, col] = position in positions and on[row, col]
        if len(positions) <= 4 and (expected == zone).all():
            repeaters += 1
            assert len(fields) >= 4
        else:
            whole += 1
            assert len(fields) >= 2
            inside = sum(
                int(on[row, col])
                for row, col in product(range(shape[0]), range(shape[1]))
                if ((row - field.row_offset) // field.rows, (col - field.col_offset) // field.cols)
                in fields
            )
            assert inside == zone.sum()
        assert (wafer.dies[zone] == 2).mean() > 0.4
    assert repeaters > whole > 0
