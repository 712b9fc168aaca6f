"""SINF files as probers and converters write them, and what breaks them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff

HEADERS = {
    "DEVICE": "D1",
    "LOT": "L1",
    "WAFER": "W 01",
    "FNLOC": "180",
    "ROWCT": "2",
    "COLCT": "4",
    "BCEQU": "00,01",
    "REFPX": "",
    "REFPY": "",
    "DUTMS": "mm",
    "XDIES": "2.945",
    "YDIES": "3",
}
ROWS = ("__ 01 0B FF", "@@ 00 1F __")
EXPECTED = [[0, 1, 2, 0], [0, 1, 2, 0]]


def file_of(rows: tuple[str, ...] = ROWS, end: str = "\r\n", **headers: str | None) -> bytes:
    lines = [f"{k}:{v}" for k, v in (HEADERS | headers).items() if v is not None]
    return end.join([*lines, *(f"RowData:{row}" for row in rows), ""]).encode()


def found(rows: tuple[str, ...] = ROWS, **headers: str | None) -> WaferMap:
    (wafer,) = read(file_of(rows, "\r\n", **headers))
    return wafer


def test_a_usual_file() -> None:
    assert sniff(file_of()) == "sinf"
    wafer = found()
    assert wafer.dies.tolist() == EXPECTED
    assert (wafer.product, wafer.lot_id, wafer.wafer_id) == ("D1", "L1", "W 01")
    assert (wafer.die_width_mm, wafer.die_height_mm, wafer.notch) == (2.945, 3.0, "down")
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard.tolist() == [[0, 1, 11, 0], [0, 0, 31, 0]]
    assert wafer.notes == (
        "bin 0 is a bin of tested dies in this file; in a map 0 stands for none",
        "1 reference dies taken as no die",
        "1 untested dies taken as no die",
    )


@pytest.mark.parametrize(
    "rows",
    [
        ("__010BFF", "@@001F__"),
        (" __  01 0b ff ", "@@ 00 1f __"),
        ("___ 001 011 @@@", "@@@ 000 031 ___"),
        ("___001011@@@", "@@@000031___"),
    ],
)
def test_other_rows(rows: tuple[str, ...]) -> None:
    wafer = found(rows)
    assert wafer.dies.tolist() == EXPECTED
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard.tolist() == [[0, 1, 11, 0], [0, 0, 31, 0]]


def test_rows_alone() -> None:
    data = b"RowData:__ 01 02\nRowData:01 01 __\n"
    assert sniff(data) == "sinf"
    (wafer,) = read(data)
    assert wafer.dies.tolist() == [[0, 1, 2], [1, 1, 0]]
    assert wafer.notes == ("no BCEQU: bin 1 taken as pass", "no FNLOC: the notch taken as down")
    (other,) = read(data, pass_bins=(2,))
    assert other.dies.tolist() == [[0, 2, 1], [2, 2, 0]]


def test_headers_and_rows_without_their_word() -> None:
    data = file_of(()).decode() + "RowData:\r\n__ 01 0B FF\r\n@@ 00 1F __\r\n"
    assert read(data.replace("RowData:\r\n", "").encode())[0].dies.tolist() == EXPECTED
    spaced = file_of().replace(b":", b" : ").lower().replace(b"rowdata :", b"rowdata:")
    assert read(spaced)[0].dies.tolist() == EXPECTED


@pytest.mark.parametrize(
    ("text", "notch"),
    [("0", "up"), ("90", "right"), ("180", "down"), ("270", "left"), ("360", "up"), ("45", "down")],
)
def test_notches(text: str, notch: str) -> None:
    wafer = found(FNLOC=text)
    assert wafer.notch == notch
    assert any("FNLOC" in note for note in wafer.notes) == (text == "45")


def test_units() -> None:
    assert found(DUTMS="mil", XDIES="100").die_width_mm == 2.54
    assert found(XDIES="2,5 mm").die_width_mm == 2.5
    assert found(XDIES="").die_width_mm is None
    odd = found(DUTMS="ell")
    assert odd.die_width_mm is None
    assert any("unknown units (ell)" in note for note in odd.notes)


def test_edge_and_reference_dies_unless_they_are_good() -> None:
    rows = ("01 FD FE FF",)
    assert found(rows).dies.tolist() == [[1, 0, 0, 0]]
    assert "2 edge dies taken as no die" in found(rows).notes
    assert found(rows, BCEQU="01 FF").dies.tolist() == [[1, 0, 0, 1]]
    assert found(("001 253 254 255",), BCEQU="001").dies.tolist() == [[1, 2, 2, 2]]


def test_signs_of_no_bin_are_counted() -> None:
    wafer = found(("01 XX .. --",), ROWCT="9")
    assert wafer.dies.tolist() == [[1, 0, 0, 0]]
    assert "1 'XX' dies taken as no die" in wafer.notes
    assert "ROWCT and COLCT say 9x4 dies, the map 1x4" in wafer.notes


def test_two_wafers() -> None:
    data = file_of() + file_of(WAFER="W02")
    assert [wafer.wafer_id for wafer in read(data)] == ["W 01", "W02"]
    nameless = file_of(WAFER=None) * 2
    assert [wafer.wafer_id for wafer in read(nameless)] == ["", "-2"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (file_of(()), "RowData lines"),
        (file_of(("__ __",)), "two or three digits"),
        (file_of(("__ XX",)), "two or three digits"),
        (file_of(("01",) * 4097), "4096 rows"),
        (file_of(("01 " * 4097,)), "4,097 dies"),
        (file_of(("01 " * 50_000,)), "lines of"),
        (b"x\n" * 400_002 + b"RowData:01 01\n", "400,000 lines"),
        (file_of(("01 0\0",)), "NUL"),
        (file_of(("01 12345",)), "characters"),
        (b"".join(b"K%d:1\n" % n for n in range(2000)) + b"RowData:01 01\n", "few headers"),
    ],
)
def test_broken(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(data, format="sinf")


def test_empty_lines_cost_nothing() -> None:
    assert read(b"\n" * (8 << 20) + file_of(), format="sinf")[0].dies.tolist() == EXPECTED


def test_every_truncation() -> None:
    data = file_of()
    for end in range(len(data)):
        try:
            wafers = read(data[:end], format="sinf")
        except FormatError:
            continue
        assert len(wafers) == 1


@settings(max_examples=80)
@given(st.data())
def test_damage_is_a_format_error_or_a_map(data: st.DataObject) -> None:
    raw = bytearray(file_of())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.sampled_from(b": \n_@0F\0\xff,A"))
    try:
        wafers = read(bytes(raw), format="sinf")
    except FormatError:
        return
    assert all(np.isin(wafer.dies, [0, 1, 2]).all() for wafer in wafers)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("colon", [b":", b"=", b" : "])
def test_ends_of_lines_marks_and_colons(end: str, mark: bytes, colon: bytes) -> None:
    data = mark + file_of(end=end).replace(b":", colon)
    assert sniff(data) == "sinf"
    (wafer,) = read(data)
    assert wafer.dies.tolist() == EXPECTED
    assert (wafer.product, wafer.lot_id) == ("D1", "L1")


def test_sizes_with_an_exponent() -> None:
    wafer = found(XDIES="2.945E+03", YDIES="3e3", DUTMS="um")
    assert (wafer.die_width_mm, wafer.die_height_mm) == (2.945, 3.0)


@pytest.mark.parametrize(
    ("rows", "dies"),
    [
        (
            ("___001001___", "001002010001", "___001@@@___"),
            [[0, 1, 1, 0], [1, 2, 2, 1], [0, 1, 0, 0]],
        ),
        (("__0101__", "01020A01", "__01@@__"), [[0, 1, 1, 0], [1, 2, 2, 1], [0, 1, 0, 0]]),
        (("000001", "010203"), [[2, 2, 1], [1, 2, 2]]),  # either: two digits are the usual ones
    ],
)
def test_rows_without_blanks_and_counts(rows: tuple[str, ...], dies: list[list[int]]) -> None:
    wafer = found(rows, ROWCT=None, COLCT=None, BCEQU=None)
    assert wafer.dies.tolist() == dies


@pytest.mark.parametrize("lead", ["", " "])
@pytest.mark.parametrize("end", ["", "   "])
def test_blanks_in_place_of_codes(lead: str, end: str) -> None:
    rows = ("   01 0B", "01 00    01", "01 00 1F 01")
    wafer = found(tuple(f"{lead}{row}{end}" for row in rows), ROWCT="3")
    assert wafer.dies.tolist() == [[0, 1, 2, 0], [1, 1, 0, 1], [1, 1, 2, 1]]
    assert "blanks in place of codes taken as no die" in wafer.notes


@pytest.mark.parametrize("row", ["01 0B 1F", "01  0B 1F", "   01 0B 1F 01", "01 0B 1"])
def test_rows_whose_blanks_mean_nothing_stay(row: str) -> None:
    wafer = found((row, "01 00 1F 01"))
    assert wafer.dies[0, :2].tolist() == [1, 2]
    assert "blanks in place of codes taken as no die" not in wafer.notes
