"""Wafers as JSON come back whole; anything else is refused in words."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hand_made import build_prediction
from tests.io.wafers import NAMES, wafers
from waferscope.domain.wafermap import Frame, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff, write
from waferscope.io.json_wafer import SCHEMA, json_wafer_row, record_of
from waferscope.io.results import json_bytes, json_row

SOURCES = st.none() | st.builds(Source, NAMES, NAMES, NAMES)


@settings(max_examples=60)
@given(st.lists(st.tuples(wafers(), st.lists(NAMES, max_size=3), SOURCES), min_size=1, max_size=3))
def test_every_field_comes_back(drawn: list[Any]) -> None:
    made = [replace(wafer, notes=tuple(notes), source=source) for wafer, notes, source in drawn]
    found = read(json_bytes([json_wafer_row(wafer) for wafer in made]))
    for wafer, back in zip(made, found, strict=True):
        assert replace(back, source=wafer.source) == wafer
        assert back.source is not None
        assert back.source.format == "json"
        before = wafer.source
        kept = before and {"format": before.format, "name": before.name, "sha256": before.sha256}
        assert back.source.extra.get("source") == kept


def test_a_file_and_its_face(tmp_path: Path) -> None:
    wafer = WaferMap(np.array([[0, 1], [2, 1]]), wafer_id="Ä7", frame=Frame(3, -4, 1, -1))
    (path,) = write([wafer, wafer], tmp_path / "lot.json")
    assert path.read_bytes().isascii()
    records = json.loads(path.read_bytes())
    assert [record["schema"] for record in records] == [SCHEMA] * 2
    assert records[0]["dies"] == ["01", "21"]
    assert sniff(path.read_bytes()) == "json"
    assert [w.wafer_id for w in read(path)] == ["Ä7", "Ä7"]


@pytest.mark.parametrize(
    "text", ['{"dies": [[0, 1], [2, 1]]}', '[ {"id": 5, "dies": ["01", "21"]} ]']
)
def test_what_other_programs_write(text: str) -> None:
    (wafer,) = read(text.encode())
    assert wafer.dies.tolist() == [[0, 1], [2, 1]]
    assert ("fields not read: id" in wafer.notes) == ("id" in text)


def changed(**fields: Any) -> bytes:
    record = record_of(WaferMap(np.array([[0, 1], [2, 1]])))
    return json.dumps({**record, **fields}).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": "waferscope.wafer/2"},
        {"dies": None},
        {"dies": []},
        {"dies": [1, 2]},
        {"dies": ["01", "2"]},
        {"dies": ["03", "21"]},
        {"dies": ["0ä", "21"]},
        {"dies": ["/1", "21"]},
        {"dies": [[0, 1], [2]]},
        {"dies": [[0, 0.5], [2, 1]]},
        {"dies": [["0", "1"], ["2", "1"]]},
        {"dies": [[[0, 1]], [[2, 1]]]},
        {"dies": [[10**30, 1], [2, 1]]},
        {"dies": ["0" * 5000]},
        {"dies": ["0"] * 5000},
        {"rows": 7},
        {"cols": 10**9},
        {"wafer_id": 7},
        {"lot_id": ["a"]},
        {"slot": 1.5},
        {"slot": True},
        {"tested_at": "yesterday"},
        {"tested_at": "2024-01-01T00:00:00"},
        {"tested_at": 5},
        {"die_width_mm": -1},
        {"die_width_mm": "7"},
        {"notch": "inside"},
        {"frame": {"x0": "1"}},
        {"frame": {"dx": 2}},
        {"frame": {"x0": 10**30}},
        {"frame": {"z": 1}},
        {"frame": [0, 0, 1, 1]},
        {"reticle": {"rows": 0, "cols": 1}},
        {"reticle": {"rows": 1}},
        {"patterns": "Loc"},
        {"patterns": [1]},
        {"notes": {"a": 1}},
        {"source": "tape"},
        {"bins": []},
        {"bins": {"hard": ["1 1"]}},
        {"bins": {"hard": ["1 1", "1"]}},
        {"bins": {"hard": ["1 1", "1 99999"]}},
        {"bins": {"hard": ["1 1", "1 -9"]}},
        {"bins": {"hard": ["1 1", "1 a"]}},
        {"bins": {"hard": ["1 1", "1 " + "9" * 30]}},
        {"bins": {"hard": [[1, 1], [1, 1]]}},
        {"bins": {"hard_names": {"x": "y"}}},
        {"bins": {"hard_names": {"1": 5}}},
    ],
)
def test_records_that_are_no_wafers(fields: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=r"Expected (a wafer|wafers)"):
        read(changed(**fields), "json")


def test_predictions_carry_no_dies() -> None:
    data = json_bytes([json_row(build_prediction())])
    assert sniff(data) == "json"
    with pytest.raises(FormatError, match="carry no dies"):
        read(data)


def test_other_json_is_left_alone() -> None:
    for data in (b'{"a": 1}', b'{"images": [], "annotations": []}', b'see "dies"'):
        assert sniff(data) is None


def test_every_truncation() -> None:
    data = changed(bins={"hard": ["0 1", "7 1"]})
    for end in range(len(data)):
        with pytest.raises(FormatError):
            read(data[:end], "json")


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3)
)


@settings(max_examples=150)
@given(st.sampled_from(sorted({*record_of(WaferMap(np.ones((2, 2), int))), "bins"})), VALUES)
def test_any_value_anywhere(name: str, value: Any) -> None:
    with suppress(FormatError):
        assert all(isinstance(w, WaferMap) for w in read(changed(**{name: value}), "json"))
