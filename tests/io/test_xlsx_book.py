"""Workbooks by hand: what Excel and other programs may write, and what would do harm."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.test_xlsx import LIST, book
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, xlsx_book
from waferscope.io.archive import open_blobs
from waferscope.io.xlsx_book import Sheet, is_workbook, open_book

BOOK = '<workbook xmlns:r="r"><sheets><sheet name="S" r:id="a"/></sheets></workbook>'
LINKS = (
    '<Relationships><Relationship Id="a" Type="t/worksheet" Target="/XL/s.xml"/>'
    '<Relationship Id="b" Type="t/sharedStrings" Target="texts.xml"/></Relationships>'
)


def packed(sheet: str | bytes, texts: str = "<sst/>", **others: Any) -> bytes:
    parts: dict[str, Any] = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": BOOK,
        "xl/_rels/workbook.xml.rels": LINKS,
        "xl/s.xml": sheet,
        "xl/texts.xml": texts,
        **others,
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return sink.getvalue()


def sheets(data: bytes) -> list[Sheet]:
    return [sheet for blob in open_blobs(data, is_workbook) for sheet in open_book(blob).sheets()]


def cells(inner: str) -> str:
    return f'<worksheet xmlns="n"><sheetData>{inner}</sheetData></worksheet>'


def test_every_kind_of_cell() -> None:
    rich = "<si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>no</t></rPh></si>"
    texts = f"<sst><si><t>one</t></si>{rich}</sst>"
    row = (
        '<row r="2"><c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c><v>7.0</v></c>'
        '<c t="b"><v>1</v></c><c t="inlineStr"><is><t>a\tb"c\n</t></is></c><c t="e"><v>#N/A</v></c>'
        '<c t="str"><f>A1</f><v> x </v></c><c><f>B1</f></c><c r="AA2"><v>-2.5</v></c></row>'
        '<row r="9"><c><v>1E2</v></c></row><row><c s="4"/><c><v>3</v></c></row>'
    )
    (sheet,) = sheets(packed(cells(row), texts))
    assert [line.split("\t") for line in sheet.lines] == [
        ["", "one", "rich", "7", "true", '"a b""c"', "", "x", *[""] * 18, "-2.5"],
        [""],
        ["100"],
        ["", "3"],
    ]
    assert (sheet.formulas, sheet.empty) == (1, 2)


@pytest.mark.parametrize(
    "sheet",
    [
        "",
        "<a",
        "no xml",
        cells('<row><c t="s"><v>0</v></c></row>'),
        cells('<row><c t="s"><v>-1</v></c></row>'),
        cells('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'),
        cells('<row><c r="ZZZ1"><v>1</v></c></row>'),
        cells('<row r="5"/><row r="4"/>'),
        cells('<row r="9999999"/>'),
        '<?xml version="1.0" encoding="nonsense"?><a/>',
        '<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "other.dtd"><a/>',
        f'<a b="{"x" * (3 << 20)}"/>',
        cells("<row>" + '<c r="A1"><v>1</v></c>' * 2 + "</row>"),
    ],
)
def test_sheets_that_are_refused(sheet: str) -> None:
    with pytest.raises(FormatError, match="Excel workbook"):
        read(packed(sheet))


def test_far_cells_and_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    far = "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 9))
    data = packed(cells(far + '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'))
    assert len(sheets(data)[0].lines) == 10
    with pytest.raises(FormatError, match="Expected a sheet"):
        read(data)
    for name, value in (("MOST_EVENTS", 20), ("MOST_TEXT", 20_000)):
        with monkeypatch.context() as patch:
            patch.setattr(xlsx_book, name, value)
            with pytest.raises(FormatError, match="more than 20"):
                sheets(data)


def test_a_zip_bomb() -> None:
    with pytest.raises(FormatError, match="bytes unpacked"):
        sheets(packed(b"<a>" + b" " * (80 << 20)))


def test_a_bomb_of_elements() -> None:
    with pytest.raises(FormatError, match=r"more than 1,\d+,\d+ elements"):
        sheets(packed(b"<a>" + b"<v/>" * 1_100_000))


def test_missing_parts() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(FormatError, match=r"without a workbook\.xml"):
        read(sink.getvalue())
    elsewhere = LINKS.replace("/XL/s.xml", "../../../etc/passwd")
    for links in ("<Relationships/>", elsewhere):
        with pytest.raises(FormatError, match="no visible sheet"):
            read(packed(cells(""), **{"xl/_rels/workbook.xml.rels": links}))


def test_every_truncation_and_flipped_byte() -> None:
    data = book(a=LIST)
    for end in range(0, len(data), 97):
        with pytest.raises(FormatError):
            read(data[:end])
    for at in range(0, len(data), 61):
        broken = bytearray(data)
        broken[at] ^= 0x41
        try:
            read(bytes(broken), "xlsx")
        except FormatError:
            continue


@settings(max_examples=60)
@given(st.text(st.sampled_from('<>/"= crvtsf123AB0'), max_size=80), st.booleans())
def test_any_sheet(text: str, inside: bool) -> None:
    with suppress(FormatError):
        found = read(packed(cells(f"<row>{text}</row>") if inside else text))
        assert all(isinstance(wafer, WaferMap) for wafer in found)
