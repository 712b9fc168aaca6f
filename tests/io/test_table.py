"""Text tables: what people write is read, what was guessed is said, nothing is lost silently."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.one_wafer import one, said
from tests.io.wafers import wafers
from waferscope.domain.wafermap import Bins, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff, write
from waferscope.io.table import LARGEST, die_list_bytes, die_rows


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


DIES = np.array([[1, 2], [2, 1]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WaferMap(DIES), WaferMap(3 - DIES)),
        (WaferMap(DIES, wafer_id="W1", lot_id="L"), WaferMap(3 - DIES, wafer_id="W1", lot_id="L")),
        (WaferMap(DIES, wafer_id="W1", lot_id=""), WaferMap(3 - DIES, wafer_id="W1")),
        (WaferMap(DIES, wafer_id="W\n1"), WaferMap(DIES, wafer_id="W 1")),
    ],
)
def test_wafers_that_would_be_read_as_one_are_refused(
    one: WaferMap, other: WaferMap, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=r"got 2 named .* in lot .*Rename them, or write Parquet"):
        write([one, WaferMap(DIES, wafer_id="W9"), other], tmp_path / "lot.csv")
    assert not (tmp_path / "lot.csv").exists()


def test_one_name_in_two_lots_and_one_wafer_without_a_name(tmp_path: Path) -> None:
    named = [WaferMap(DIES, wafer_id="W1", lot_id=lot) for lot in ("A", "B")]
    (path,) = write([*named, WaferMap(3 - DIES)], tmp_path / "lot.csv")
    assert [(w.lot_id, w.wafer_id) for w in read(path)] == [
        ("A", "W1"),
        ("B", "W1"),
        (None, "lot"),
    ]


def test_a_wafer_without_dies_is_refused(tmp_path: Path) -> None:
    bare = WaferMap(np.zeros((2, 2), np.uint8), wafer_id="W2")
    with pytest.raises(FormatError, match=r"got 'W2' without one\. Leave it out, or write Parquet"):
        write([WaferMap(DIES, wafer_id="W1"), bare], tmp_path / "lot.csv")
    assert not (tmp_path / "lot.csv").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", " "])
def test_encodings(encoding: str, separator: str) -> None:
    text = "wafer,x,y,pass\nÄ7,1,1,1\nÄ7,2,1,0\n".replace(",", separator)
    wafer = one(text.encode(encoding))
    assert wafer.wafer_id == "Ä7"
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, f"text read as {encoding}") == (not encoding.startswith("utf-8"))


def test_names_before_the_table_and_from_the_file(tmp_path: Path) -> None:
    wafer = one("Lot: A1\nWafer ID;7\nDevice = Q\nx;y;bin\n0;0;1\n")
    assert (wafer.lot_id, wafer.wafer_id, wafer.product) == ("A1", "7", "Q")
    path = tmp_path / "W07.csv"
    path.write_text("x,y,bin\n0,0,1\n")
    assert read(path)[0].wafer_id == "W07"


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
