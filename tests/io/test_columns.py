"""Rows of named columns: what a row holds, byte by byte, and which rows are no wafers."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.io.wafers import wafers
from waferscope.domain.wafermap import Bins, Frame, Reticle, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.columns import KNOWN, OPTIONAL, row_of, wafer_of

SOURCE = Source("parquet", "lot.parquet")
ROW: dict[str, Any] = {"rows": 2, "cols": 3, "dies": bytes([0, 1, 2, 1, 1, 0])}


@settings(max_examples=30)
@given(wafers())
def test_a_row_holds_everything_but_notes_and_source(wafer: WaferMap) -> None:
    row = row_of(replace(wafer, notes=("guessed",)))
    assert set(row) <= set(KNOWN)
    assert wafer_of(row, 0, SOURCE) == replace(wafer, source=SOURCE)


def test_a_plain_wafer_fills_no_optional_column() -> None:
    row = row_of(WaferMap([[0, 1, 2], [1, 1, 0]], wafer_id="a"))  # type: ignore[arg-type]
    assert row == {"wafer_id": "a", **ROW}
    assert not set(row) & set(OPTIONAL)


def test_columns_byte_by_byte() -> None:
    wafer = WaferMap(
        np.array([[1, 2]], np.uint8),
        lot_id="7",
        frame=Frame(4, -3, -1, 1, True),
        reticle=Reticle(2, 3, 1, 0),
        bins=Bins(np.array([[1, 513]]), None, {513: "Ä"}),
        patterns=(),
        notch="up",
    )
    row = row_of(wafer)
    assert row["frame"] == [4, -3, -1, 1, 1]
    assert row["reticle"] == [2, 3, 1, 0]
    assert row["bins_hard"] == struct.pack("<2H", 1, 513)
    assert "bins_soft" not in row
    assert json.loads(row["bin_names"]) == {"hard": {"513": "Ä"}, "soft": {}}
    assert row["patterns"] == []
    assert row["notch"] == "up"


def test_no_labels_and_an_empty_list_of_labels_differ() -> None:
    assert wafer_of(ROW, 0, SOURCE).patterns is None
    assert wafer_of({**ROW, "patterns": None}, 0, SOURCE).patterns is None
    assert wafer_of({**ROW, "patterns": []}, 0, SOURCE).patterns == ()


@pytest.mark.parametrize(
    ("columns", "wafer_id", "lot_id"),
    [
        ({}, "wafer-5", None),
        ({"wafer_id": "", "lot_group": 0}, "wafer-5", "0"),
        ({"wafer_id": "a", "lot_group": 12, "lot_id": None}, "a", "12"),
        ({"lot_group": 12, "lot_id": "L"}, "wafer-5", "L"),
    ],
)
def test_names(columns: dict[str, Any], wafer_id: str, lot_id: str | None) -> None:
    wafer = wafer_of({**ROW, **columns}, 5, SOURCE, ("note",))
    assert (wafer.wafer_id, wafer.lot_id) == (wafer_id, lot_id)
    assert (wafer.source, wafer.notes) == (SOURCE, ("note",))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"rows": 0, "dies": b""}, "1 to 4096 rows"),
        ({"cols": 4097}, "1 to 4096 rows"),
        ({"cols": 4}, "2x4 values in dies, got 6"),
        ({"dies": None}, "its dies are null"),
        ({"dies": bytes([3] * 6)}, "values 0 to 2"),
        ({"frame": [0, 0, 2, 1, 0]}, "frame steps"),
        ({"frame": [0, 0, 1]}, "ValueError"),
        ({"reticle": [0, 1, 0, 0]}, "reticle of at least 1x1"),
        ({"bin_names": "[]"}, "TypeError"),
        ({"bin_names": '{"hard": {}}'}, "KeyError: 'soft'"),
        ({"bin_names": '{"hard": {"one": "a"}, "soft": {}}'}, "ValueError"),
        ({"bin_names": '{"hard": {}, "soft": {}}', "bins_hard": b"odd"}, "ValueError"),
        ({"rows": 10**400}, "1 to 4096|OverflowError"),
    ],
)
def test_rows_that_are_no_wafers(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=rf"row 5 of lot\.parquet.*({words})"):
        wafer_of({**ROW, **columns}, 5, SOURCE)
