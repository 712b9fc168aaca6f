"""LSWMD.pkl as wafers."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.io.lswmd.pickles import LAYOUTS, frame_bytes
from waferscope.errors import FormatError
from waferscope.io import read, sniff
from waferscope.io.lswmd import is_lswmd

MAPS = [
    np.array([[0, 1, 0], [1, 2, 1]], dtype=np.uint8),
    np.asfortranarray(np.array([[1, 2], [2, 1], [1, 1]], dtype=np.uint8)),
    np.array([[2, 2]], dtype=np.uint8),
]
LABELS = ["Edge-Ring", "none", None]
SPLITS = ["Training", "Test", None]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_and_protocol_is_read(layout: str, protocol: int) -> None:
    data = frame_bytes(MAPS, LABELS, SPLITS, layout, protocol)
    assert sniff(data) == "lswmd"
    wafers = read(data)
    assert [w.dies.tolist() for w in wafers] == [m.tolist() for m in MAPS]
    assert [w.patterns for w in wafers] == [("Edge-Ring",), (), None]
    assert [w.lot_id for w in wafers] == ["lot1", "lot1", "lot2"]
    assert [w.slot for w in wafers] == [1, 2, 3]
    assert [w.wafer_id for w in wafers] == ["wm811k-000000", "wm811k-000001", "wm811k-000002"]
    extra = [w.source.extra for w in wafers if w.source]
    assert [e.get("official_split") for e in extra] == ["training", "test", None]
    assert [e["die_size"] for e in extra] == [4, 6, 2]


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "LSWMD.pkl.gz"
    path.write_bytes(gzip.compress(frame_bytes(MAPS, LABELS, SPLITS)))
    (wafer, *_) = read(path)
    assert wafer.source is not None
    assert (wafer.source.format, wafer.source.name) == ("lswmd", "LSWMD.pkl")


def test_rows_without_a_map_are_counted() -> None:
    bad = [MAPS[0], np.array([[7]], dtype=np.uint8), np.array([], dtype=np.uint8)]
    data = frame_bytes(bad, LABELS, SPLITS)
    (wafer,) = read(data)
    assert wafer.notes == ("rows without a map of 0, 1 and 2 left out: 2",)
    with pytest.raises(FormatError, match="2 rows without"):
        read(data, strict=True)


def test_an_unknown_label_is_said() -> None:
    data = frame_bytes(MAPS[:1], ["Blob"], [None])
    assert read(data)[0].patterns is None
    assert read(data)[0].notes == ("unknown label left out: Blob",)


def test_every_cut_is_refused() -> None:
    data = frame_bytes(MAPS, LABELS, SPLITS)
    for end in range(2, len(data)):
        with pytest.raises(FormatError):
            read(data[:end], "lswmd")


def test_other_pickles_are_refused() -> None:
    for value in ({"a": 1}, [1, 2], "text", np.zeros(3)):
        with pytest.raises(FormatError):
            read(pickle.dumps(value, 2), "lswmd")


def test_only_pickles_are_claimed() -> None:
    assert is_lswmd(pickle.dumps([1], 2))
    assert not is_lswmd(b"\x80")
    assert not is_lswmd(pickle.dumps([1], 0))
    assert not is_lswmd(b"\x80\x09c")


def test_a_frame_of_other_columns_is_refused() -> None:
    data = frame_bytes(MAPS, LABELS, SPLITS).replace(b"waferMap", b"waferCap")
    with pytest.raises(FormatError, match="a column waferMap"):
        read(io.BytesIO(data).getvalue())
