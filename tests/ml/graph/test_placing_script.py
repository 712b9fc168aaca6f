"""The pieces around the network, each run by itself, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from waferscope.ml.graph import placing_script

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

script: Any = placing_script
"""Its functions take arrays, whatever their signatures say to onnxscript."""


def whole(*values: int) -> Ints:
    return np.array(values, np.int64)


def test_an_extent_is_the_first_place_and_the_length() -> None:
    on = np.array([[0, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], np.float32)
    first, length = script.extent(on)
    assert np.asarray(first).tolist() == [1, 0, 4]
    assert np.asarray(length).tolist() == [3, 5, 1]


def test_cells_are_spread_to_where_they_are_asked(rng: np.random.Generator) -> None:
    values = rng.random((2, 3, 4, 5), np.float32)
    down, across = whole(*range(-2, 6)), whole(*range(-1, 7))
    got = np.asarray(
        script.spread(values, np.stack([down, down + 1]), np.stack([across, across - 2]))
    )
    for n, (rows, cols) in enumerate(((down, across), (down + 1, across - 2))):
        for i, y in enumerate(rows):
            for j, x in enumerate(cols):
                there = 0 <= y < 4 and 0 <= x < 5
                want = values[n, :, y, x] if there else np.zeros(3, np.float32)
                np.testing.assert_array_equal(got[n, :, i, j], want)


@pytest.mark.parametrize("still", [True, False])
def test_planes_are_taken_from_where_the_wafer_lies(
    rng: np.random.Generator, *, still: bool
) -> None:
    planes = rng.random((2, 3, 6, 8), np.float32)
    starts = whole(0, 0) if still else whole(-1, 2)
    size = whole(6, 8) if still else whole(4, 9)
    got = np.asarray(script.take(planes, starts[:, None], starts[:, None], size, np.array(still)))
    wide = np.pad(planes, ((0, 0), (0, 0), (1, 9), (1, 9)))
    for n, start in enumerate(starts + 1):
        want = wide[n, :, start : start + size[0], start : start + size[1]]
        np.testing.assert_array_equal(got[n], want)


@pytest.mark.parametrize("shift", [-9, -3, 0, 1, 2, 30])
def test_a_coarse_cell_goes_by_its_middle_die(rng: np.random.Generator, shift: int) -> None:
    """An own canvas of 8 x 8 dies, cells of 4, begins ``shift`` dies into one of 16 x 16."""
    values = rng.random((1, 2, 2, 2), np.float32)
    place = whole(shift)[:, None]
    got = np.asarray(
        script.put_back(values, place, place, whole(16, 16), np.array(4), np.array(False))
    )
    want: Floats = np.zeros((1, 2, 4, 4), np.float32)
    for i in range(4):
        for j in range(4):
            y, x = 4 * i + 2 - shift, 4 * j + 2 - shift
            if min(y, x) >= 0 and max(y, x) < 8:
                want[0, :, i, j] = values[0, :, y // 4, x // 4]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("side", [31, 30, 33])
def test_a_canvas_need_not_be_whole_cells(rng: np.random.Generator, side: int) -> None:
    values, place = rng.random((1, 1, 2, 2), np.float32), whole(0)[:, None]
    size = whole(side, side)
    got = script.put_back(values, place, place, size, np.array(4), np.array(False))
    assert np.asarray(got).shape == (1, 1, side // 4, side // 4)


def test_what_has_not_moved_is_left_alone(rng: np.random.Generator) -> None:
    values = rng.random((1, 2, 2, 2), np.float32)
    none = whole(0)[:, None]
    got = script.put_back(values, none, none, whole(8, 8), np.array(4), np.array(True))
    np.testing.assert_array_equal(np.asarray(got), values)
