"""The result table and JSON: stable columns, the same figures everywhere, no formulas."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hand_made import build_prediction
from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.errors import FormatError
from waferscope.io.results import (
    arm,
    csv_bytes,
    defuse,
    json_bytes,
    json_row,
    result_csv,
    result_parquet,
    result_row,
    safe_text,
)

SCRATCH = {"scratch": (slice(4, 10), slice(7, 8)), "edge": (slice(0, 2), slice(5, 10))}


def made(**wafer: Any) -> Prediction:
    return build_prediction(SCRATCH, ["Scratch"], fails=[(12, 3)], **wafer)


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_figures() -> None:
    prediction = made(wafer_id="W1", lot_id="L", notes=("a", "b"))
    (row,) = table(result_csv([result_row(prediction)]))
    wafer = prediction.wafer
    assert (row["wafer_id"], row["lot_id"], row["rows"], row["cols"]) == ("W1", "L", "15", "15")
    assert int(row["dies"]) == (wafer.dies > 0).sum()
    assert int(row["fails"]) == (wafer.dies == 2).sum()
    assert float(row["yield"]) == pytest.approx(1 - int(row["fails"]) / int(row["dies"]))
    assert row["labels"] == "Scratch"
    assert float(row["pattern_Scratch"]) == 0.9
    assert (row["scratch_dies"], row["scratch_defects"]) == ("6", "1")
    assert int(row["edge_dies"]) == (wafer.dies[0:2, 5:10] == 2).sum()
    assert int(row["defect_dies"]) == int(row["scratch_dies"]) + int(row["edge_dies"])
    assert float(row["severity"]) == pytest.approx(prediction.severity)
    assert row["severity_level"] == prediction.severity_level
    assert row["dominant_class"] == "edge"
    assert "marked edge" in row["conflicts"]
    assert row["notes"] == "a; b"
    assert row["model_version"] == "hand-1"


def test_columns_are_stable() -> None:
    patterns = [f"pattern_{label}" for label in DEFAULT_TAXONOMY.patterns]
    classes = [
        f"{name}_{what}" for name in DEFAULT_TAXONOMY.class_names for what in ("dies", "defects")
    ]
    first = ["wafer_id", "lot_id", "rows", "cols", "dies", "fails", "yield", "labels"]
    last = ["defect_dies", "severity", "severity_level", "dominant_class", "conflicts", "notes"]
    assert list(result_row(made())) == [*first, *patterns, *classes, *last, "model_version"]


def test_parquet_holds_what_the_csv_holds() -> None:
    rows = [result_row(made(wafer_id=f"W{n}")) for n in range(3)]
    found = pq.read_table(io.BytesIO(result_parquet(rows))).to_pylist()
    assert found == rows
    assert [{k: str(v) for k, v in row.items()} for row in found] == table(result_csv(rows))


def test_a_wafer_without_dies_has_no_yield() -> None:
    import numpy as np

    prediction = build_prediction(dies=np.zeros((3, 3), np.uint8))
    row = result_row(prediction)
    assert row["yield"] is None
    assert table(result_csv([row]))[0]["yield"] == ""
    assert pq.read_table(io.BytesIO(result_parquet([row]))).to_pylist()[0]["yield"] is None


@pytest.mark.parametrize("write", [result_csv, result_parquet])
def test_nothing_and_mixed_taxonomies_are_refused(write: Any) -> None:
    with pytest.raises(FormatError, match="at least one prediction"):
        write([])
    row = result_row(made())
    with pytest.raises(FormatError, match="one taxonomy"):
        write([row, {**row, "more": 1}])


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "'=1"]
)
def test_formulas_are_defused(text: str) -> None:
    (row,) = table(result_csv([result_row(made(wafer_id=text))]))
    assert row["wafer_id"] == f"'{text}".replace("\t", " ").replace("\r", " ").replace("\n", " ")


def test_formulas_in_headers_are_defused() -> None:
    assert csv_bytes(["=evil"], [["plain"]]) == b"'=evil\nplain\n"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("W01;=1+1", "W01;'=1+1"),
        ("a; @SUM(A1); -b", "a;' @SUM(A1);' -b"),
        (
            "far from all others: -9999,-9999; -32768,3",
            "far from all others: -9999,-9999; -32768,3",
        ),
        ("Scratch;Edge-Ring", "Scratch;Edge-Ring"),
    ],
)
def test_formulas_behind_a_semicolon_are_defused(text: str, safe: str) -> None:
    (row,) = table(result_csv([result_row(made(wafer_id=text))]))
    assert row["wafer_id"] == safe
    assert arm(safe) == text


@given(st.text(max_size=20) | st.text(";='-1 ,@", max_size=12))
def test_arm_undoes_defuse(text: str) -> None:
    assert arm(defuse(text)) == text
    first = defuse(text).lstrip(" ")[:1]
    assert first not in "=@\t\r\n" or first == ""


@settings(max_examples=30)
@given(st.text(max_size=20))
def test_any_name_survives_csv_and_json(name: str) -> None:
    prediction = replace(made(), wafer=replace(made().wafer, wafer_id=name, lot_id=name))
    encoded = name.encode("utf-8", "backslashreplace").decode()
    one_line = re.sub("[\x00-\x1f\x7f\x85\u2028\u2029]", " ", encoded)
    assert arm(table(result_csv([result_row(prediction)]))[0]["wafer_id"]) == one_line
    assert json.loads(json_row(prediction))["wafer"]["wafer_id"] == encoded


def test_predictions_of_wafers_of_one_name_have_a_row_each() -> None:
    rows = [result_row(made(wafer_id="W1", lot_id="L")), result_row(made()), result_row(made())]
    assert [row["wafer_id"] for row in table(result_csv(rows))] == ["W1", "", ""]


@given(st.text(max_size=20))
def test_a_safe_text_is_what_the_cell_holds(text: str) -> None:
    encoded = text.encode("utf-8", "backslashreplace").decode()
    (row,) = table(csv_bytes(["name"], [[encoded]])) or [{"name": ""}]
    assert row["name"] == safe_text(encoded)


def test_json_is_the_record() -> None:
    predictions = [made(wafer_id=f"W{n}") for n in range(2)]
    found = json.loads(json_bytes([json_row(p) for p in predictions]))
    assert found == [json.loads(json.dumps(p.to_dict())) for p in predictions]
    assert json.loads(json_bytes([])) == []


def test_another_taxonomy_has_its_own_columns() -> None:
    assert isinstance(DEFAULT_TAXONOMY, Taxonomy)
    assert "random_dies" in result_row(made())
