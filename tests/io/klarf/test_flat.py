"""Statements: what holds for which wafer."""

from __future__ import annotations

import pytest

from waferscope.errors import FormatError
from waferscope.io.klarf.flat import parse_flat
from waferscope.io.klarf.records import Records

SPEC = b"DefectRecordSpec 2 XINDEX YINDEX;"


def parsed(body: bytes) -> Records:
    return parse_flat(body, "1.2")


def test_a_statement_holds_for_the_wafers_after_it() -> None:
    found = parsed(
        b"LotID A;WaferID 1;Slot 1;" + SPEC + b"DefectList 1 1;"
        b"DieOrigin 5 5;LotID B;WaferID 2;DefectList;EndOfFile;"
    )
    first, second = (wafer.fields for wafer in found.wafers)
    assert (first["lotid"], first["slot"], "dieorigin" in first) == ([b"A"], [b"1"], False)
    assert (second["lotid"], second["dieorigin"]) == ([b"B"], [b"5", b"5"])
    assert "slot" not in second
    assert found.damage == ""


def test_lists_of_a_wafer_add_up_and_know_their_columns() -> None:
    data = (
        b"WaferID 1;SampleTestPlan 2 0 0 0 1;SampleTestPlan 1 5 5;RemovedDieList 1 0 1;"
        + SPEC + b"DefectList;TiffFileName a;DefectList 1 1;SummarySpec 2 NDEFECT NDIE;"
        b"SummaryList 1 2;EndOfFile;"
    )  # fmt: skip
    (wafer,) = parsed(data).wafers
    said = [data[t.start : t.end].split() for t in (*wafer.plans, *wafer.removed, *wafer.defects)]
    assert said == [[b"0", b"0", b"0", b"1"], [b"5", b"5"], [b"0", b"1"], [], [b"1", b"1"]]
    assert [t.columns for t in wafer.summaries] == [("NDEFECT", "NDIE")]


def test_inspected_dies_before_the_first_wafer_are_those_of_all_without_their_own() -> None:
    found = parsed(b"SampleTestPlan 1 7 7;WaferID 1;WaferID 2;SampleTestPlan 1 8 8;EndOfFile;")
    assert [len(w.plans) for w in found.wafers] == [1, 1]
    assert found.wafers[0].plans[0].start < found.wafers[1].plans[0].start


def test_defects_without_a_wafer_id_make_one() -> None:
    found = parsed(SPEC + b"DefectList 1 1;EndOfFile;")
    assert len(found.wafers) == 1
    assert found.notes == ["no WaferID before the defects"]


@pytest.mark.parametrize(
    "body", [b"WaferID 1;DefectList 1 1;", b"DefectRecordSpec;", b"DefectRecordSpec x X;",
             b"DefectRecordSpec 600" + b" A" * 600 + b";"],
)  # fmt: skip
def test_lists_without_columns_are_refused(body: bytes) -> None:
    with pytest.raises(FormatError, match="DefectRecordSpec"):
        parsed(body)


def test_a_spec_that_miscounts_is_noted() -> None:
    found = parsed(b"WaferID 1;DefectRecordSpec 3 XINDEX YINDEX;DefectList 1 1;EndOfFile;")
    assert found.notes == ["a spec counts 3 columns and names 2: the names count"]


def test_a_file_that_breaks_off_says_so() -> None:
    found = parsed(b"WaferID 1;" + SPEC + b"DefectList 1 1 2")
    assert found.damage == "it has no EndOfFile"
    assert found.wafers[0].defects[0].cut


def test_a_list_of_inspected_dies_holds_until_the_next_one() -> None:
    found = parsed(
        SPEC + b"WaferID 1;SampleTestPlan 1 0 0;DefectList;WaferID 2;DefectList;"
        b"WaferID 3;SampleTestPlan 1 7 7;DefectList;WaferID 4;DefectList;EndOfFile;"
    )
    one, two, three, four = (wafer.plans for wafer in found.wafers)
    assert (one, three) == (two, four)
    assert one != three
