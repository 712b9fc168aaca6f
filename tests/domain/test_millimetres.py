"""Places in mm, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from waferscope.domain.millimetres import to_mm
from waferscope.domain.wafermap import Notch, WaferMap

PLACES = np.array([[0.0, 0.0], [3.0, 1.0], [1.5, 2.5]])


def test_the_origin_is_the_centre_of_the_tested_dies() -> None:
    dies = np.zeros((6, 9), dtype=np.uint8)
    dies[1:4, 2:8] = 1  # rows 1 to 3, columns 2 to 7: the middle is row 2, column 4.5
    wafer = WaferMap(dies, die_width_mm=2.0, die_height_mm=5.0)
    found = to_mm(wafer, PLACES)
    assert found is not None
    assert found.tolist() == [[-9.0, 10.0], [-7.0, -5.0], [-4.0, 2.5]]


@pytest.mark.parametrize("notch", ["down", "left", "up", "right"])
def test_the_notch_lies_at_minus_y(notch: str) -> None:
    dies = np.ones((5, 5), dtype=np.uint8)
    at_notch = {"down": (4, 2), "left": (2, 0), "up": (0, 2), "right": (2, 4)}[notch]
    wafer = WaferMap(dies, die_width_mm=1.0, die_height_mm=1.0, notch=notch)  # type: ignore[arg-type]
    found = to_mm(wafer, np.array([at_notch], dtype=np.float64))
    assert found is not None
    assert found.tolist() == [[0.0, -2.0]]


def test_a_centre_that_is_known_is_the_origin() -> None:
    wafer = WaferMap(
        np.ones((6, 9), np.uint8), die_width_mm=2.0, die_height_mm=5.0, centre=(3.0, 0.5)
    )
    found = to_mm(wafer, PLACES)
    assert found is not None
    assert found.tolist() == [[-1.0, 15.0], [1.0, 0.0], [4.0, 7.5]]


@pytest.mark.parametrize("centre", [None, (-1.5, 4.25)])
@pytest.mark.parametrize("notch", ["down", "left", "up", "right"])
def test_a_turned_map_has_the_same_places(notch: Notch, centre: tuple[float, float] | None) -> None:
    dies = np.ones((4, 7), dtype=np.uint8)
    dies[2, 5] = 2
    wafer = WaferMap(dies, die_width_mm=3.0, die_height_mm=4.0, notch=notch, centre=centre)
    turned = wafer.notch_down()
    there = np.argwhere(turned.dies == 2).astype(np.float64)
    found, expected = to_mm(wafer, np.array([[2.0, 5.0]])), to_mm(turned, there)
    assert found is not None
    assert expected is not None
    np.testing.assert_allclose(found, expected)


def test_without_a_die_size_there_are_no_mm() -> None:
    assert to_mm(WaferMap(np.ones((2, 2), dtype=np.uint8), die_width_mm=1.0), PLACES) is None


def test_an_untested_wafer_is_centred_on_its_array() -> None:
    empty = WaferMap(np.zeros((1, 1), dtype=np.uint8), die_width_mm=1.0, die_height_mm=1.0)
    assert to_mm(empty, np.zeros((1, 2))).tolist() == [[0.0, 0.0]]  # type: ignore[union-attr]
