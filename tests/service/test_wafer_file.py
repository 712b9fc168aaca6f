"""Wafers as blobs come back whole, and are told apart by all that was measured and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import NAMES, wafers
from waferscope.domain.wafermap import Bins, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.service.wafer_file import MAGIC, content_of, pack_wafer, unpack_wafer

SOURCES = st.none() | st.builds(Source, NAMES, NAMES, NAMES)
PLAIN = WaferMap(np.array([[1, 2], [1, 1]]), wafer_id="W1", lot_id="L1")


@settings(max_examples=60, deadline=None)
@given(wafers(), st.lists(NAMES, max_size=3), SOURCES)
def test_every_field_comes_back(drawn: WaferMap, notes: list[str], source: Source | None) -> None:
    wafer = replace(drawn, notes=tuple(notes), source=source)
    assert unpack_wafer(pack_wafer(wafer)) == wafer
    assert content_of(unpack_wafer(pack_wafer(wafer))) == content_of(wafer)


@pytest.mark.parametrize("most", [255, 256, 65535])
def test_bins_of_any_size_come_back(most: int) -> None:
    wafer = replace(PLAIN, bins=Bins(np.array([[most, 0], [1, 2]]), None, {most: "opens"}))
    assert unpack_wafer(pack_wafer(wafer)) == wafer


@pytest.mark.parametrize(
    "change",
    [
        {"wafer_id": "W2"},
        {"lot_id": "L2"},
        {"lot_id": None},
        {"step": "sort"},
        {"notch": "up"},
        {"dies": np.array([[2, 1], [1, 1]])},
        {"dies": np.array([[1, 2, 1, 1]])},
        {"bins": Bins(np.array([[1, 2], [1, 1]]))},
        {"bins": Bins(None, np.array([[1, 2], [1, 1]]))},
        {"patterns": ()},
    ],
)
def test_another_measurement_is_another_content(change: dict[str, Any]) -> None:
    assert content_of(replace(PLAIN, **change)) != content_of(PLAIN)


def test_where_a_wafer_came_from_is_no_content() -> None:
    told = replace(PLAIN, notes=("retested",), source=Source("stdf", "a.stdf", "0" * 64))
    assert content_of(told) == content_of(PLAIN)


def test_numbers_of_numpy_are_numbers() -> None:
    numbers: dict[str, Any] = {"slot": np.int64(3), "die_width_mm": np.float32(2.5)}
    wafer = replace(PLAIN, **numbers)
    assert unpack_wafer(pack_wafer(wafer)) == wafer


@pytest.mark.parametrize("at", [0, 2, 6, 30, -3])
def test_a_damaged_file_is_refused(at: int) -> None:
    whole = pack_wafer(PLAIN)
    with pytest.raises(FormatError, match="Restore the blobs"):
        unpack_wafer(whole[:at])
    assert whole.startswith(MAGIC)


def test_a_pickle_is_no_wafer() -> None:
    with pytest.raises(FormatError, match="Expected a wafer as it is stored"):
        unpack_wafer(b"\x80\x05cos\nsystem\n")
