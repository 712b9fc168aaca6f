"""What is written as SINF is read back equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import wafers
from waferscope.domain.wafermap import Bins, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read
from waferscope.io.sinf_write import sinf_bytes, sinf_row

ONE = WaferMap(np.array([[1, 2], [0, 1]]), wafer_id="W1")
LOST = {
    **dict.fromkeys(["slot", "step", "tester", "tested_at", "diameter_mm", "patterns"]),
    **dict.fromkeys(["reticle", "centre", "source"]),
    "notes": (),
}


def kept(wafer: WaferMap) -> WaferMap:
    wafer = wafer.turn() if wafer.frame.swapped else wafer
    own = wafer.bins or Bins()
    bins = Bins(own.hard if own.hard is not None else wafer.dies.astype(np.uint16))
    return replace(wafer, bins=bins, **LOST)  # type: ignore[arg-type]


def back(*items: WaferMap) -> list[WaferMap]:
    found = read(sinf_bytes([sinf_row(wafer) for wafer in items]), strict=True)
    assert all(wafer.notes == () for wafer in found)
    return [replace(wafer, source=None) for wafer in found]


@settings(max_examples=50)
@given(wafers(bins=None), st.integers(1, 498))
def test_wafers_come_back(wafer: WaferMap, half: int) -> None:
    hard = np.where(wafer.dies == 1, 2 * half, 2 * half + 1) * (wafer.dies > 0)
    binned = replace(wafer, bins=Bins(hard), wafer_id="second")
    assert back(wafer, binned) == [kept(wafer), kept(binned)]


@pytest.mark.parametrize("state", [1, 2])
def test_all_of_one_verdict(state: int) -> None:
    wafer = WaferMap(np.full((2, 2), state), wafer_id="W", bins=Bins(np.ones((2, 2), np.uint16)))
    assert back(wafer) == [kept(wafer)]


def test_three_digits_where_two_would_be_edge_dies() -> None:
    for number, width in ((0xFC, 2), (0xFD, 3), (999, 3)):
        wafer = replace(ONE, bins=Bins(np.array([[1, number], [0, 1]])))
        assert f"RowData:{1:0{width}} " in sinf_row(wafer)
        assert back(wafer) == [kept(wafer)]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "at least one wafer"),
        ([replace(ONE, wafer_id="a\nLOT:b")], "control signs"),
        ([ONE, WaferMap(np.zeros((2, 2), np.uint8), wafer_id="W2")], "got 'W2' without one"),
        ([replace(ONE, bins=Bins(np.array([[1, 1000], [0, 1]])))], "0 to 999"),
        ([replace(ONE, bins=Bins(np.ones((2, 2), np.uint16)))], "pass or to fail"),
    ],
)
def test_what_cannot_be_written(items: list[WaferMap], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        back(*items)


def test_the_frame_stands_in_a_comment() -> None:
    assert "COMMENT" not in sinf_row(ONE)
    assert "COMMENT:frame x0=-3 y0=7 dx=-1 dy=1" in sinf_row(replace(ONE, frame=Frame(-3, 7, -1)))
