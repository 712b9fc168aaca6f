"""Parquet and npz: the columns of the public sets in, round trips, hostile files."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import wafers
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, read_parts, write
from waferscope.io.archive import Limits
from waferscope.io.columnar import lot_column, npz_bytes, parquet_bytes
from waferscope.io.columns import row_of
from waferscope.io.formats import ReadOptions

DIES = bytes([0, 1, 2, 1, 1, 0])


def parquet(**columns: Any) -> bytes:
    given: dict[str, Any] = {
        "wafer_id": ["a"],
        "rows": pa.array([2], pa.int16()),
        "cols": pa.array([3], pa.int16()),
        "dies": pa.array([DIES], pa.binary()),
    }
    merged = {k: v for k, v in {**given, **columns}.items() if v is not None}
    sink = io.BytesIO()
    pq.write_table(pa.table(merged), sink)
    return sink.getvalue()


def npz(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)
    return sink.getvalue()


@settings(max_examples=15)
@given(st.lists(wafers(), min_size=1, max_size=2))
def test_parquet_keeps_everything_but_notes_and_source(made: list[WaferMap]) -> None:
    found = read(parquet_bytes([row_of(wafer) for wafer in made]))
    assert [replace(wafer, source=None) for wafer in found] == made


@settings(max_examples=15)
@given(st.lists(wafers(), min_size=1, max_size=2))
def test_npz_keeps_names_dies_and_labels(made: list[WaferMap]) -> None:
    found = read(npz_bytes([row_of(wafer) for wafer in made]))
    kept = [
        WaferMap(w.dies, wafer_id=w.wafer_id, lot_id=w.lot_id, patterns=w.patterns) for w in made
    ]
    assert [replace(wafer, source=None) for wafer in found] == kept


@pytest.mark.parametrize(
    ("name", "count", "labels"),
    [("wm811k/val.parquet", 12167, 8), ("mixedwm38/val.parquet", 5491, 6)],
)
def test_public_sets(shared_data: Path, name: str, count: int, labels: int) -> None:
    table = pq.read_table(shared_data / name)
    found = read(shared_data / name)
    assert len(found) == table.num_rows == count
    assert len({label for wafer in found for label in wafer.patterns or ()}) == labels
    for number in range(0, count, 997):
        row = table.slice(number, 1).to_pylist()[0]
        wafer = found[number]
        assert wafer.wafer_id == row["wafer_id"]
        assert wafer.lot_id == (str(row["lot_group"]) if "lot_group" in row else None)
        assert wafer.dies.tobytes() == row["dies"]
        assert list(wafer.patterns or ()) == row["patterns"]


def test_the_public_columns_are_written_as_they_were_read(
    shared_data: Path, tmp_path: Path
) -> None:
    found = read(shared_data / "wm811k" / "val.parquet")[:200]
    (path,) = write(found, tmp_path / "again.parquet")
    names = ["wafer_id", "lot_group", "rows", "cols", "dies", "patterns"]
    again, source = pq.read_table(path), pq.read_table(shared_data / "wm811k" / "val.parquet")
    assert again.schema.names == names
    assert again.to_pylist() == source.slice(0, 200).to_pylist()


def test_lots_that_are_no_numbers_stay_text() -> None:
    assert lot_column(["1", "-2"]) == ("lot_id", ["1", "-2"])
    assert lot_column([None, None]) == ("lot_id", [None, None])
    assert lot_column(["²"]) == ("lot_id", ["²"])


def test_columns_that_are_not_read_are_named() -> None:
    (wafer,) = read(parquet(color=["red"]))
    assert wafer.notes == ("columns not read: color",)
    assert wafer.dies.tolist() == [[0, 1, 2], [1, 1, 0]]


def test_a_nameless_wafer_is_numbered() -> None:
    assert read(parquet(wafer_id=None))[0].wafer_id == "wafer-0"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"dies": None}, "Rename or add dies"),
        ({"rows": ["two"]}, "whole numbers in the column rows"),
        ({"rows": pa.array([-2], pa.int16())}, "whole numbers in the column rows"),
        ({"rows": pa.array([None], pa.int16())}, "whole numbers in the column rows"),
        ({"rows": pa.array([3], pa.int16())}, "row 0.*3x3 values"),
        ({"rows": pa.array([0], pa.int16())}, "1 to 4096 rows"),
        ({"rows": pa.array([10**9]), "cols": pa.array([10**9])}, "at most 4,294,967,296 dies"),
        ({"dies": pa.array([b"\x03" * 6], pa.binary())}, "values 0 to 2"),
        ({"dies": pa.array([7])}, "row 0"),
        ({"notch": ["north"]}, "notch of down"),
        ({"frame": [[1, 2]]}, "row 0"),
        ({"bin_names": ["{"]}, "row 0"),
        ({"die_width_mm": [-1.0]}, "positive number"),
        ({"tested_at": [5]}, "row 0"),
        ({"tested_at": pa.array([1 << 62], pa.timestamp("us", "UTC"))}, "plain values"),
        ({"tested_at": pa.array([1 << 62], pa.timestamp("ns", "UTC"))}, "plain values"),
    ],
)
def test_rows_that_are_no_wafers(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(parquet(**columns))


def test_every_truncation_of_a_parquet_file() -> None:
    data = parquet()
    for cut in range(4, len(data), 7):
        with pytest.raises(FormatError):
            read(data[:cut])


@pytest.mark.parametrize("make", [parquet_bytes, npz_bytes])
def test_wafers_are_counted_before_they_are_made(make: Any) -> None:
    same = row_of(WaferMap(np.array([[1, 2]]), wafer_id="W"))
    data = make([same] * 101)
    for most, right in ((101, True), (100, False)):
        limits = Limits(wafers=most)
        (part,) = read_parts(data, None, ReadOptions(), limits)
        assert (part.error is None) == right
        assert len(part.wafers) == (101 if right else 0)
    assert "at most 100 wafers" in str(part.error)


def test_stacks_of_grids() -> None:
    stack = np.ones((2, 3, 4), np.int64)
    found = read(npz(dies=stack, wafer_id=np.array(["a", "b"])))
    assert [(w.wafer_id, w.shape) for w in found] == [("a", (3, 4)), ("b", (3, 4))]
    (single,) = read(npz(dies=np.asfortranarray(np.triu(np.ones((3, 3), np.uint8)))))
    assert np.array_equal(single.dies, np.triu(np.ones((3, 3))))
    assert single.patterns is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones(3)}, "Rename or add rows, cols, dies"),
        ({"rows": [2], "cols": [3], "x": [1]}, "add dies"),
        ({"dies": np.ones(6, np.uint8)}, "add rows, cols"),
        ({"dies": np.ones((2, 2), np.float64)}, "float64"),
        ({"dies": np.full((2, 2), 9)}, "dies from 9 to 9"),
        ({"dies": np.ones(5, np.uint8), "rows": [2], "cols": [3]}, "5 dies"),
        ({"dies": np.ones((2, 2, 2, 2), np.uint8), "rows": [2], "cols": [8]}, "row 0"),
        ({"dies": np.ones((2, 2), np.uint8), "wafer_id": ["a", "b"]}, "different lengths"),
        ({"dies": np.ones(6, np.uint8), "rows": [2.0], "cols": [3.0]}, "lists of whole numbers"),
        ({"dies": np.ones(6, np.uint8), "rows": [-2], "cols": [-3]}, "1 to 4096 rows"),
    ],
)
def test_arrays_that_do_not_fit(arrays: dict[str, Any], words: str) -> None:
    data = npz(**arrays)
    if words == "row 0":
        assert len(read(data)) == 1  # a flat view of more axes is still 2 x 8 dies
        return
    with pytest.raises(FormatError, match=words):
        read(data, "npz")


def test_a_pickle_is_refused() -> None:
    sink = io.BytesIO()
    np.savez(sink, dies=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FormatError, match="pickled array"):
        read(sink.getvalue())


def fake_npy(header: str, version: bytes = b"\x01\x00") -> bytes:
    raw = header.encode().ljust(117) + b"\n"
    npy = b"\x93NUMPY" + version + len(raw).to_bytes(2, "little") + raw
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("dies.npy", npy)
    return sink.getvalue()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 1000000000)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-4, 2)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 'wide'}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2, 2)}",
        "__import__('os').system('true')",
    ],
)
def test_headers_that_lie(header: str) -> None:
    with pytest.raises(FormatError):
        read(fake_npy(header))
    with pytest.raises(FormatError, match="unknown version"):
        read(fake_npy(header, b"\x09\x00"))


@settings(max_examples=60)
@given(st.data())
def test_broken_files_raise_only_format_error(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([parquet(), npz(dies=np.ones((4, 4), np.uint8))]))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        assert all(isinstance(wafer, WaferMap) for wafer in read(bytes(broken)))
