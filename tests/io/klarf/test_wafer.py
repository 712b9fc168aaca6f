"""Which dies a map has, and what is said about it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.io.klarf.klarf_text import COLUMNS, Part, Spot, flat, nested
from waferscope.domain.millimetres import to_mm
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read


def made(part: Part) -> WaferMap:
    (wafer,) = read(flat([part]))
    return wafer


def said(wafer: WaferMap, words: str) -> bool:
    return any(words in note for note in wafer.notes)


def test_removed_dies_are_taken_out_unless_they_have_defects() -> None:
    plan = [(0, 0), (1, 0), (2, 0)]
    wafer = made(Part("W", [Spot(0, 0)], plan)).dies.tolist()
    assert wafer == [[2, 1, 1]]
    data = flat([Part("W", [Spot(0, 0)], plan)])
    listed = b"SampleTestPlan 3\n  0 0\n  1 0\n  2 0;"
    (wafer_of_two,) = read(data.replace(listed, listed + b"\nRemovedDieList 2 0 0 2 0;"))
    assert wafer_of_two.dies.tolist() == [[2, 1]]
    assert said(wafer_of_two, "1 dies removed")


def test_defects_off_the_list_add_their_dies() -> None:
    wafer = made(Part("W", [Spot(0, 0), Spot(0, 2)], [(0, 0), (0, 1)]))
    assert wafer.dies.tolist() == [[2], [1], [2]]
    assert said(wafer, "1 dies with defects are not in the list")


def test_without_a_list_dies_are_laid_out_on_the_wafer() -> None:
    data = flat([Part("W", [Spot(0, 0)])]).replace(b" 1 1 0.1 0 1 ;", b" 1 1 0.1 900 1 ;")
    (wafer,) = read(data)  # pitch 10 x 5 mm on 100 mm, die (0, 0) in the middle
    assert wafer.dies[wafer.frame.to_cell(0, 0)] == 2
    assert wafer.die_count > 100
    assert wafer.shape == (19, 9)
    assert said(wafer, "the file counts 900 inspected")


@pytest.mark.parametrize("line", [b"DiePitch 1.0000e+004 5.0e3;\n", b"SampleSize 1 100;\n"])
def test_without_figures_the_dies_with_defects_are_all(line: bytes) -> None:
    (wafer,) = read(flat([Part("W", [Spot(0, 0), Spot(3, 1)])]).replace(line, b""))
    assert (wafer.die_count, wafer.fail_count) == (2, 2)
    assert said(wafer, "dies with defects alone")


def test_as_many_inspected_as_failing_are_these() -> None:
    data = flat([Part("W", [Spot(0, 0)])]).replace(b" 1 1 0.1 0 1 ;", b" 1 1 0.1 1 1 ;")
    assert read(data)[0].die_count == 1


def test_nothing_at_all_is_refused() -> None:
    data = flat([Part("W", [])]).replace(b"DiePitch 1.0000e+004 5.0e3;\n", b"")
    with pytest.raises(FormatError, match="neither inspected dies, defects"):
        read(data)


def test_counts_are_told() -> None:
    spots = [Spot(0, 0), Spot(0, 0), Spot(1, 0)]
    data = flat([Part("W", spots, [(0, 0), (1, 0)])])
    (wafer,) = read(data.replace(b" 1 3 0.1 2 1 ;", b" 1 5 0.1 2 1 ;"))
    assert said(wafer, "3 defects listed, 3 count on 2 dies, at most 2 on one die")
    assert said(wafer, "the summary counts 5 defects, the list holds 3")


def test_a_map_off_the_centre_says_so() -> None:
    wafer = made(Part("W", [Spot(4, 0)], [(3, 0), (4, 0)]))
    assert said(wafer, "the middle of the dies lies 35, 0 mm from the wafer's centre")
    assert wafer.centre == (0.0, -3.0)


def test_mm_are_counted_from_the_centre_that_the_file_gives() -> None:
    """Die (4, -1) of 10 x 5 mm, the wafer's centre 12 mm right of and 1 mm above (0, 0)'s corner.

    Its own corner is at 40, -5 mm, so its middle lies 45 - 12 and -2.5 - 1 mm from the centre.
    """
    data = flat([Part("W", [Spot(4, -1)], [(3, -1), (4, -1)])])
    data = re.sub(rb"SampleCenterLocation [^;]*", b"SampleCenterLocation 12000 1000", data)
    mirrored = data.replace(b"WaferID", b"CoordinatesMirrored YES;\nWaferID")
    for text, x in ((data, 33.0), (mirrored, -33.0)):
        (wafer,) = read(text)
        places = to_mm(wafer, np.argwhere(wafer.dies == 2).astype(float))
        assert places is not None
        assert places.tolist() == [pytest.approx([x, -3.5])]


def test_a_centre_beside_a_die_origin_is_not_used() -> None:
    data = flat([Part("W", [Spot(4, 0)], [(3, 0), (4, 0)])])
    (wafer,) = read(re.sub(rb"DieOrigin [^;]*", b"DieOrigin 5.0e3 0", data))
    assert wafer.centre is None
    assert said(wafer, "DieOrigin 5000 0: SampleCenterLocation not used")


def test_filters_without_their_columns_count_all() -> None:
    columns = [name for name in COLUMNS if name not in ("DSIZE", "CLASSNUMBER")]
    (wafer,) = read(
        flat([Part("W", [Spot(0, 0)], [(0, 0)])], columns), klarf_classes=(9,), min_defect_um=5.0
    )
    assert wafer.fail_count == 1
    assert said(wafer, "carry no class")
    assert said(wafer, "carry no size")


def test_lists_that_are_not_as_long_as_the_file_says_are_noted() -> None:
    part = Part("W", [Spot(0, 0)], [(0, 0), (1, 0)])
    for data, name in (
        (flat([part]).replace(b"SampleTestPlan 2", b"SampleTestPlan 60"), "inspected dies"),
        (nested([part]).replace(b"Data 2 {", b"Data 60 {"), "inspected dies"),
        (nested([part]).replace(b"Data 1\n", b"Data 60\n"), "defect list"),
    ):
        (wafer,) = read(data)
        assert wafer.dies.tolist() == [[2, 1]]
        assert said(wafer, "counts 60 rows and holds")
        assert said(wafer, name)
    assert not said(made(part), "counts")
    (uncounted,) = read(nested([part]).replace(b"Data 2 {", b"Data {"))
    assert not said(uncounted, "counts")
