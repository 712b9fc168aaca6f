"""Excel sheets are read as CSV would be; workbooks are written by openpyxl."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings

from tests.io.wafers import wafers
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff
from waferscope.io.results import defuse
from waferscope.io.table import die_rows

HEADER = ["lot_id", "wafer_id", "row", "col", "x", "y", "pass", "hard_bin", "soft_bin"]
LIST: list[list[Any]] = [["x", "y", "bin"], [4, -1, 1], [5, -1, 7], [5, 0, 1]]


def book(**sheets: Any) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    sink = io.BytesIO()
    made.save(sink)
    return sink.getvalue()


def one(data: bytes, **options: Any) -> WaferMap:
    (wafer,) = read(data, **options)
    return wafer


def said(wafer: WaferMap, words: str) -> bool:
    return any(words in note for note in wafer.notes)


@settings(max_examples=15)
@given(wafers())
def test_die_lists_come_back(wafer: WaferMap) -> None:
    rows = [[defuse(c) if isinstance(c, str) else c for c in row] for row in die_rows(wafer)]
    found = one(book(dies=[HEADER, *rows]))
    assert np.array_equal(found.dies, wafer.dies)
    assert (found.wafer_id, found.lot_id) == (wafer.wafer_id, wafer.lot_id)
    cells = [(int(row), int(col)) for row, col in np.argwhere(wafer.dies)]
    assert [found.frame.to_xy(*c) for c in cells] == [wafer.frame.to_xy(*c) for c in cells]
    if wafer.bins is not None:
        assert found.bins is not None
        assert np.array_equal(found.bins.hard, wafer.bins.hard)  # type: ignore[arg-type]


def test_what_was_guessed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "W07.xlsx"
    path.write_bytes(book(Sheet1=LIST))
    assert sniff(path.read_bytes()) == "xlsx"
    (wafer,) = read(path)
    assert wafer.wafer_id == "W07"
    assert wafer.dies.tolist() == [[1, 2], [0, 1]]
    assert said(wafer, "sheet 'Sheet1' read as a die list")
    assert said(wafer, "x from 'x', y from 'y', bin from 'bin'")
    assert said(wafer, "bin 1 taken as pass")
    assert one(path.read_bytes(), columns={"bin": "BIN"}, pass_bins=(7,)).dies.max() == 2


@pytest.mark.parametrize(
    "rows",
    [
        [[0, 1, 0], [1, 2, 1], [0, 1, 1]],
        [[None, 1], [1, 2, 1], [None, 1, 1]],
        [[], [], [None, None, None, 1], [None, None, 1, 2, 1], [None, None, None, 1, 1]],
        [["Wafer W3"], [None, 1], [1, 2, 1], [None, 1, 1]],
        [["Lot", "A1"], ["Wafer:", "W3"], [], [0, 1, 0], [1, 2, 1], [0, 1, 1]],
        [["", 3, 4, 5], [7, 0, 1, 0], [8, 1, 2, 1], [9, 0, 1, 1]],
        [[".", "P", "."], ["P", "F", "P"], [".", "P", "P"]],
        [["-", 1.0, "-"], [1, 2.0, True], ["-", 1, 1]],
        [[".1."], ["1X1"], [".11"]],
    ],
)
def test_matrices(rows: Any) -> None:
    wafer = one(book(map=rows))
    assert wafer.dies.tolist() == [[0, 1, 0], [1, 2, 1], [0, 1, 1]]
    if rows[0] == ["Lot", "A1"]:
        assert (wafer.lot_id, wafer.wafer_id) == ("A1", "W3")
    if rows[0][1:2] == [3]:
        assert wafer.frame.to_xy(0, 0) == (3, 7)


def test_sheets_are_wafers_and_others_are_named() -> None:
    data = book(W1=[[0, 1], [1, 2]], Legend=[["a bin", "its name"]], W2=LIST)
    found = read(data)
    assert [w.wafer_id for w in found] == ["W1", "W2"]
    assert said(found[0], "sheets left out: Legend")
    with pytest.raises(FormatError, match="'Legend': rows such as 'a bin its name'"):
        read(data, strict=True)


def test_formulas_are_not_evaluated_and_hidden_sheets_are_left() -> None:
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    rows: list[list[Any]] = [*LIST, [6, 0, "=1+0"], [7, 0, "#N/A"]]
    for row in rows:
        sheet.append(row)
    made.create_sheet("spare").sheet_state = "hidden"
    sink = io.BytesIO()
    made.save(sink)
    wafer = one(sink.getvalue())
    assert wafer.dies.tolist() == [[1, 2], [0, 1]]
    assert said(wafer, "2 formulas without a saved value, or errors: taken as empty")
    assert said(wafer, "2 dies without a result left out")
    assert said(wafer, "spare (hidden)")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (book(a=[]), "no sheet|nothing|no visible"),
        (book(a=[["Dear all"], ["best, B"]]), "Dear all"),
        (book(a=[["x", "y", "bin"]]), "cannot be cut|none of that kind"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "without a password"),
    ],
)
def test_what_holds_no_map(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(data)
