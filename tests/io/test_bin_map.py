"""Bins as codes, against a loop over the dies."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import grids
from waferscope.domain.wafermap import Bins, WaferMap
from waferscope.errors import FormatError
from waferscope.io.bin_map import build_bin_map, highest_bin


@settings(max_examples=40)
@given(st.data(), st.sampled_from([(2, 16), (3, 10), (4, 16)]))
def test_codes_counts_and_verdicts(data: st.DataObject, how: tuple[int, int]) -> None:
    digits, base = how
    dies = data.draw(grids())
    # Even bins pass and odd ones fail, up to the second highest number.
    half = data.draw(st.integers(0, (base**digits - 4) // 2))
    hard = np.where(dies == 1, 2 * half, 2 * half + 1).astype(np.uint16)
    wafer = WaferMap(dies, bins=Bins(hard, hard_names={5: "five"}))
    found = build_bin_map(wafer, digits, base=base)
    counts: Counter[str] = Counter()
    for row, line in enumerate(found.rows):
        for col in range(dies.shape[1]):
            code = line[col * digits : (col + 1) * digits]
            counts[code] += 1
            assert (code == found.null) == (dies[row, col] == 0)
            assert code == found.null or int(code, base) == hard[row, col]
    for one in found.bins:
        assert one.count == counts[one.code]
        assert not one.count or one.passes == (int(one.code, base) % 2 == 0)
    assert {int(one.code, base): one.name for one in found.bins}[5] == "five"
    assert highest_bin(wafer) == max(2 * half + 1, 5)


def test_without_bins_and_without_dies() -> None:
    found = build_bin_map(WaferMap(np.array([[1, 2], [0, 1]])), 2)
    assert found.rows == ("0102", "FF01")
    assert [(one.code, one.passes) for one in found.bins] == [("01", True), ("02", False)]
    empty = build_bin_map(WaferMap(np.zeros((1, 2), np.uint8)), 2, null="__")
    assert (empty.rows, empty.bins) == (("____",), ())


def test_the_code_of_no_die_is_free() -> None:
    wafer = WaferMap(np.array([[2, 0]]), bins=Bins(np.array([[0xFF, 0]])))
    assert build_bin_map(wafer, 2).null == "FE"


@pytest.mark.parametrize(
    ("hard", "words"),
    [([[256, 1]], "from 0 to 255"), ([[3, 3]], "bin 3 on 1 passing and 1 failing")],
)
def test_bins_that_do_not_fit(hard: list[list[int]], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        build_bin_map(WaferMap(np.array([[1, 2]]), bins=Bins(np.array(hard))), 2)


def test_no_code_left() -> None:
    grid = np.arange(256, dtype=np.uint16).reshape(16, 16)
    with pytest.raises(FormatError, match="got none"):
        build_bin_map(WaferMap(np.ones((16, 16), np.uint8), bins=Bins(grid)), 2)
