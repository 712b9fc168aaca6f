"""The dies of a round wafer against a loop over them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.io.klarf.layout import lay_out

NONE = np.zeros((0, 2), np.int64)
places = st.floats(-50, 50)
pitches = st.floats(4, 30)


def _range(pitch: float, centre: float, radius: float) -> tuple[int, int]:
    return math.floor((centre - radius) / pitch), math.ceil((centre + radius) / pitch)


def whole_dies(
    pitch: tuple[float, float], centre: tuple[float, float], radius: float
) -> set[tuple[int, int]]:
    """Dies with all four corners on the wafer."""
    return {
        (x, y)
        for x in range(*_range(pitch[0], centre[0], radius))
        for y in range(*_range(pitch[1], centre[1], radius))
        if all(
            math.hypot((x + i) * pitch[0] - centre[0], (y + j) * pitch[1] - centre[1]) <= radius
            for i in (0, 1)
            for j in (0, 1)
        )
    }


@settings(max_examples=25)
@given(st.tuples(pitches, pitches), st.tuples(places, places))
def test_whole_dies(pitch: tuple[float, float], centre: tuple[float, float]) -> None:
    dies = lay_out(pitch, centre, 100.0, NONE, None)
    assert dies is not None
    found = {*map(tuple, dies.tolist())}
    # A corner on the rim may fall to either side.
    assert whole_dies(pitch, centre, 50 - 1e-4) <= found <= whole_dies(pitch, centre, 50 + 1e-4)


def test_a_count_of_nearly_all_leaves_out_the_edge() -> None:
    failing = np.array([[0, 0], [4, 1]])
    every = lay_out((10, 10), (5, 5), 100, failing, None)
    fewer = lay_out((10, 10), (5, 5), 100, failing, 55)
    few = lay_out((10, 10), (5, 5), 100, failing, 20)
    assert every is not None
    assert fewer is not None
    assert few is not None
    assert len(fewer) == 55
    assert {(0, 0), (4, 1)} <= {*map(tuple, fewer.tolist())} <= {*map(tuple, every.tolist())}
    assert np.array_equal(few, every)  # far fewer: which ones is not known


@pytest.mark.parametrize(
    ("pitch", "centre"),
    [((1e-9, 1e-9), (0, 0)), ((1, 1), (1e300, 0)), ((1e-300, 1), (1e300, 0)), ((0.01, 1), (0, 0)),
     ((1, 1), (1000, 1000)), ((float("nan"), 1), (0, 0))],
)  # fmt: skip
def test_figures_that_give_no_grid(pitch: tuple[float, float], centre: tuple[float, float]) -> None:
    assert lay_out(pitch, centre, 100, np.array([[0, 0]]), 5) is None
