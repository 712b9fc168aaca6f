"""Records: fields of lot and file, wherever they stand, and lists as ranges of bytes."""

from __future__ import annotations

import pytest

from waferscope.errors import FormatError
from waferscope.io.klarf import nested
from waferscope.io.klarf.defects import locate
from waferscope.io.klarf.nested import parse_nested
from waferscope.io.klarf.records import Records


def parsed(body: bytes) -> Records:
    return parse_nested(body, "1.8")


LISTS = b"""Record FileRecord "1.8" {
 Record LotRecord "L" {
  Record WaferRecord "W" { Field SlotNumber 1 {3}
   List DefectList { Columns 2 { int32 XINDEX, ImageList IMAGEINFO }
    Data 2 { 5 Images 1 { "}" "JPG" }; 6 N; } }
   Record TestRecord "1" { List SampleTestPlanList { Columns 1 { int32 XINDEX } Data 1 { 7; } } }
  }
  Field DeviceID 1 {"D"}
 }
 Field FileTimestamp 2 {"a", "b"}
}
EndOfFile;"""


def test_a_wafer_takes_over_what_stands_behind_it() -> None:
    found = parsed(LISTS)
    (wafer,) = found.wafers
    assert wafer.fields["lotid"] == [b'"L"']
    assert wafer.fields["waferid"] == [b'"W"']
    assert wafer.fields["slot"] == [b"3"]
    assert wafer.fields["deviceid"] == [b'"D"']
    assert wafer.fields["filetimestamp"] == [b'"a"', b'"b"']
    assert (found.per_mm, found.damage) == (1e6, "")


def test_rows_are_ranges_of_bytes_with_braces_in_them() -> None:
    (wafer,) = parsed(LISTS).wafers
    (table,), (plan,) = wafer.defects, wafer.plans
    assert LISTS[table.start : table.end].strip() == b'5 Images 1 { "}" "JPG" }; 6 N;'
    assert table.columns == ("XINDEX", "IMAGEINFO")
    assert table.ends
    assert not table.cut
    assert LISTS[plan.start : plan.end].strip() == b"7;"


def test_every_break_is_damage_or_refused() -> None:
    for end in range(LISTS.index(b"EndOfFile")):
        assert parsed(LISTS[:end]).damage
    cut = parsed(LISTS[: LISTS.index(b"6 N")])
    assert cut.wafers[0].defects[0].cut


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"Foo", "Record, Field, List or EndOfFile"), (b"Record A }", "{ behind the name"),
     (b"Field A 1 2", "{"), (b"Field A 1 { {", "values of a field"), (b"List A 1", "list"),
     (b"List A { Foo", "Columns or Data"), (b"List A { Data 1 { 1; } }", "before the rows"),
     (b"}", "Record, Field")],
)  # fmt: skip
def test_what_is_no_record_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parsed(body + b" ")


def test_depth_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="within each other"):
        parsed(b"Record A {" * 100 + b" ")
    monkeypatch.setattr(nested, "MAX_NODES", 10)
    with pytest.raises(FormatError, match="records and fields"):
        parsed(b"Field A 1 {1} " * 20)


@pytest.mark.parametrize(
    "images",
    [
        b'Images 2 { {"a}.jpg" "JPG"} {"b.tif" "TIF; 1"} }',
        b'Images 2 { "a.jpg" "JPG", "b{.tif" "TIF" }',
        b"Images 0 {}",
    ],
)
def test_images_in_braces_of_their_own(images: bytes) -> None:
    data = LISTS.replace(b'Images 1 { "}" "JPG" }', images)
    (wafer,) = parsed(data).wafers
    assert parsed(data).damage == ""
    (table,) = wafer.defects
    assert [data[a:b] for ((a, b),) in locate(data, table, ["XINDEX"]).tolist()] == [b"5", b"6"]
