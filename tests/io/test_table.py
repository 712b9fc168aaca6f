"""Text tables: what people write is read, what was guessed is said, nothing is lost silently."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import wafers
from waferscope.domain.wafermap import Bins, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff, write
from waferscope.io.table import LARGEST, die_list_bytes, die_rows


def one(text: str | bytes, **options: object) -> WaferMap:
    data = text if isinstance(text, bytes) else text.encode()
    (wafer,) = read(data, **options)  # type: ignore[arg-type]
    return wafer


def said(wafer: WaferMap, words: str) -> bool:
    return any(words in note for note in wafer.notes)


@settings(max_examples=25)
@given(wafers())
def test_a_die_list_comes_back(wafer: WaferMap) -> None:
    (found,) = read(die_list_bytes([die_rows(wafer)]))
    own = wafer.bins
    kept_bins = own and Bins(
        own.hard, own.soft if own.soft is not None and own.soft.any() else None
    )
    kept = WaferMap(
        wafer.dies,
        wafer_id=wafer.wafer_id,
        lot_id=wafer.lot_id,
        frame=wafer.frame,
        bins=kept_bins,
    )
    assert replace(found, source=None, notes=(), frame=wafer.frame) == kept
    cells = [(int(row), int(col)) for row, col in np.argwhere(wafer.dies)]
    assert [found.frame.to_xy(*c) for c in cells] == [wafer.frame.to_xy(*c) for c in cells]


def test_a_lot_in_one_list_and_packed(tmp_path: Path) -> None:
    made = [WaferMap([[1, 2], [2, number % 3]], wafer_id=f"W{number}") for number in range(5)]  # type: ignore[arg-type]
    (path,) = write(made, tmp_path / "lot.csv.xz")
    assert [w.wafer_id for w in read(path)] == [w.wafer_id for w in made]


LISTS = {
    "commas": "x,y,bin\n1,1,1\n2,1,7\n2,2,1\n",
    "semicolons, German": "X-Koord;Y;X;Bin\n9;1;1;1\n9;1;2;7\n9;2;2;1\n",
    "tabs": "DIE_X\tDIE_Y\tHARD_BIN\n1\t1\t1\n2\t1\t7\n2\t2\t1\n",
    "bars": "col|row|bin\n1|1|1\n2|1|7\n2|2|1\n",
    "blanks": "  X   Y  Bin\n  1   1   1\n  2   1   7\n  2   2   1\n",
    "quotes": '"X","Y","Bin"\n"1","1","1"\n"2","1","7"\n"2","2","1"\n',
    "CRLF": "x,y,bin\r\n1,1,1\r\n2,1,7\r\n2,2,1\r\n",
    "CR": "x,y,bin\r1,1,1\r2,1,7\r2,2,1\r",
    "no last newline": "x,y,bin\n1,1,1\n2,1,7\n2,2,1",
    "decimals": "x,y,bin\n1.0,1.00,1\n2.,1,7\n+2,2,1\n",
    "before the header": "Test report\n\nOperator: x, y\n#\nx,y,bin\n1,1,1\n2,1,7\n2,2,1\n",
    "other columns": "site,x,y,time,bin,z\n0,1,1,5.5,1,a\n1,2,1,5.5,7,b\n0,2,2,5.5,1,c\n",
    "no header": "1,1,1\n2,1,7\n2,2,1\n3,3,1\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_die_lists(name: str) -> None:
    wafer = one(LISTS[name])
    assert wafer.dies[:2, :2].tolist() == [[1, 2], [0, 1]]
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard[0, 1] == 7
    assert said(wafer, "bin 1 taken as pass")
    assert said(wafer, "die list parted by")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", " "])
def test_encodings(encoding: str, separator: str) -> None:
    text = "wafer,x,y,pass\nÄ7,1,1,1\nÄ7,2,1,0\n".replace(",", separator)
    wafer = one(text.encode(encoding))
    assert wafer.wafer_id == "Ä7"
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, f"text read as {encoding}") == (not encoding.startswith("utf-8"))


@pytest.mark.parametrize(
    ("header", "good", "bad"),
    [
        ("pass", "1", "0"),
        ("Result", "PASS", "FAIL"),
        ("P/F", "P", "F"),
        ("status", "ok", "nok"),
        ("is_pass", "True", "False"),
        ("fail", "0", "1"),
        ("defective", "no", "yes"),
        ("pass", "1", "2"),
        ("result", "1", "14"),
    ],
)
def test_verdicts(header: str, good: str, bad: str) -> None:
    wafer = one(f"x,y,{header}\n0,0,{good}\n1,0,{bad}\n2,0,\n3,0,{good}\n")
    assert wafer.dies.tolist() == [[1, 2, 0, 1]]
    assert said(wafer, "1 dies without a result left out")


def test_pass_rules_over_bins_and_soft_bins_are_kept() -> None:
    wafer = one("x,y,bin,sbin,pass\n0,0,3,30,1\n1,0,1,10,0\n")
    assert wafer.dies.tolist() == [[1, 2]]
    assert wafer.bins is not None
    assert wafer.bins.soft is not None
    assert wafer.bins.soft.tolist() == [[30, 10]]


def test_pass_bins_and_columns_by_name() -> None:
    text = "x,y,bin,Cat A\n0,0,3,1\n1,0,1,3\n"
    assert one(text, pass_bins=(3, 4)).dies.tolist() == [[1, 2]]
    assert one(text, columns={"bin": "cat a"}).dies.tolist() == [[1, 2]]
    with pytest.raises(FormatError, match="bin='nowhere'"):
        read(text.encode(), columns={"bin": "nowhere"})


def test_bin_zero_off_the_wafer() -> None:
    cells = [[0, 1, 0], [1, 2, 1], [0, 1, 0]]
    rows = "".join(f"{x},{y},{cells[y][x]}\n" for y in range(3) for x in range(3))
    assert one("x,y,bin\n" + rows).dies.tolist() == cells
    wafer = one("x,y,bin\n0,0,0\n1,0,1\n")
    assert wafer.dies.tolist() == [[2, 1]]


@pytest.mark.parametrize(("retests", "state"), [("last", 1), ("first", 1), ("worst", 2)])
def test_retests(retests: str, state: int) -> None:
    wafer = one("x,y,pass\n0,0,1\n0,0,0\n0,0,1\n1,0,1\n", retests=retests)
    assert wafer.dies.tolist() == [[state, 1]]
    assert said(wafer, "2 results retested")


def test_wafers_and_lots_in_the_order_of_their_first_row() -> None:
    text = "lot,wafer,x,y,pass\nL2,b,0,0,1\nL1,a,0,0,0\nL2,b,1,0,0\nL2,a,5,5,1\n"
    found = [(w.lot_id, w.wafer_id, w.dies.tolist()) for w in read(text.encode())]
    assert found == [("L2", "b", [[1, 2]]), ("L1", "a", [[2]]), ("L2", "a", [[1]])]


def test_rows_that_are_no_dies_are_counted() -> None:
    wafer = one("x,y,bin\n0,0,1\n1,0,2\nnan,0,1\n1e9,0,1\n0.5,0,1\nTotal: 5\n,,\n")
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, "5 rows without whole coordinates left out")


def test_results_that_mean_nothing_are_named() -> None:
    assert said(one("x,y,pass\n0,0,1\n1,0,banana\n"), "mean nothing: 'banana'")


def test_names_before_the_table_and_from_the_file(tmp_path: Path) -> None:
    wafer = one("Lot: A1\nWafer ID;7\nDevice = Q\nx;y;bin\n0;0;1\n")
    assert (wafer.lot_id, wafer.wafer_id, wafer.product) == ("A1", "7", "Q")
    path = tmp_path / "W07.csv"
    path.write_text("x,y,bin\n0,0,1\n")
    assert read(path)[0].wafer_id == "W07"


def test_rows_and_columns_that_contradict_x_and_y() -> None:
    wafer = one("row,col,x,y,bin\n0,0,5,5,1\n0,1,9,5,1\n1,0,5,7,1\n")
    assert said(wafer, "do not follow row and col")
    assert wafer.frame == Frame()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y,bin\n", "cannot be cut|none of that kind|parted"),
        ("x,y,bin\na,b,c\n", "none of that kind"),
        ("x,y,bin\n0,0,\n", "none of that kind"),
        ("x,y,bin\n0,0,1\n99999,0,1\n", "4096 rows and columns"),
        ("some words\nand more\n", "Expected a die list"),
        ("a,b,c\n1,2,3\n", "Expected a die list"),
        (b"\x00\x01\x02", "bytes that are not text"),
        ("", "not text"),
        ("   \n", "not text"),
    ],
)
def test_what_is_no_table(text: str | bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(text if isinstance(text, bytes) else text.encode(), "csv")


def test_too_large_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LARGEST < 1 << 27
    monkeypatch.setattr("waferscope.io.table.LARGEST", 10)
    with pytest.raises(FormatError, match="at most 10 bytes"):
        one("x,y,bin\n0,0,1\n")


def test_sniffing_leaves_other_text_alone() -> None:
    assert sniff(b"x,y,bin\n0,0,1\n") == "csv"
    assert sniff(codecs.BOM_UTF16_LE + "x,y,bin\n0,0,1\n".encode("utf-16-le")) == "csv"
    for text in (b"<xml/>", b'{"a": 1}', b"Dear all,\nbest, B\n", b"1\n2\n", bytes(99)):
        assert sniff(text) is None


@settings(max_examples=100)
@given(st.text(st.sampled_from("0123xyXPF.,;\t \n\"'=-binpas#\r|e"), max_size=200), st.booleans())
def test_any_text_raises_only_format_error(text: str, header: bool) -> None:
    try:
        found = read((("x,y,bin\n" if header else "") + text).encode(), "csv")
    except FormatError:
        return
    assert all(wafer.notes for wafer in found)
