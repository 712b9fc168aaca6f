"""What is written as E142 or G85 is read back equal, and is plain XML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import grids, wafers
from waferscope.domain.wafermap import Bins, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import WRITERS, read, write

FORMATS = ("e142", "g85")
ONE = WaferMap(np.array([[1, 2], [0, 1]]), wafer_id="W1")


@st.composite
def judged(draw: st.DrawFn) -> WaferMap:
    """Any wafer whose bins either pass or fail, as a bin does in these formats."""
    wafer = draw(wafers())
    most = draw(st.sampled_from([40, 300, 65534]))
    half = draw(st.integers(1, most // 2)) * 2
    hard = np.where(wafer.dies == 1, half, half - 1) * (wafer.dies > 0)
    names = draw(st.dictionaries(st.integers(1, most), st.sampled_from(["a", "ü<&"]), max_size=2))
    bins = draw(st.sampled_from([None, Bins(hard, hard_names=names)]))
    return replace(wafer, bins=bins)


def kept(wafer: WaferMap) -> WaferMap:
    wafer = wafer.turn() if wafer.frame.swapped else wafer
    own = wafer.bins or Bins()
    hard = own.hard if own.hard is not None else wafer.dies.astype(np.uint16)
    bins = Bins(hard, hard_names=own.hard_names)
    plain = replace(wafer, patterns=None, reticle=None, centre=None, source=None, notes=())
    return replace(plain, bins=bins)


def data_of(format: str, *items: WaferMap) -> bytes:
    writer = WRITERS[format, "wafers"]
    assert writer.join is not None
    return writer.join([writer.row(item) for item in items])


@settings(max_examples=50)
@given(judged(), st.sampled_from(FORMATS))
def test_one_wafer_comes_back(wafer: WaferMap, format: str) -> None:
    (found,) = read(data_of(format, wafer), strict=True)
    assert set(found.notes) <= {"CreateDate taken as the time of the test, in UTC"}
    assert replace(found, source=None, notes=()) == kept(wafer)


@settings(max_examples=15)
@given(st.lists(judged(), min_size=2, max_size=4), st.sampled_from(FORMATS))
def test_a_lot_comes_back(made: list[WaferMap], format: str) -> None:
    named = [replace(wafer, wafer_id=f"W{n}") for n, wafer in enumerate(made)]
    found = read(data_of(format, *named))
    assert [replace(wafer, source=None, notes=()) for wafer in found] == [kept(w) for w in named]


@given(grids(), st.sampled_from(FORMATS))
def test_counts_in_the_file_are_those_of_the_map(dies: np.ndarray, format: str) -> None:
    root = ElementTree.fromstring(data_of(format, WaferMap(dies, wafer_id="W")))
    found = {
        node.get("BinQuality"): int(node.get("BinCount", ""))
        for node in root.iter()
        if node.get("BinCount")
    }
    assert found == {"Pass": int((dies == 1).sum()), "Fail": int((dies == 2).sum())}


def test_plain_coordinates_need_no_offset() -> None:
    plain = replace(ONE, frame=Frame(1, 0, -1, 1))
    for format in FORMATS:
        assert b"CoordinateOffset" not in data_of(format, plain)
        assert b"CoordinateOffset" in data_of(format, replace(ONE, frame=Frame(5, 0)))


def test_suffixes(tmp_path: Path) -> None:
    for name, format in (("a.xml", "e142"), ("a.e142.xml", "e142"), ("b.g85.xml.gz", "g85")):
        (path,) = write(ONE, tmp_path / name)
        (found,) = read(path)
        assert found.source is not None
        assert found.source.format == format
        assert np.array_equal(found.dies, ONE.dies)


@pytest.mark.parametrize(
    ("items", "format", "words"),
    [
        ([], "e142", "names of their own"),
        ([ONE, ONE], "e142", "names of their own"),
        ([], "g85", "at least one wafer"),
        ([replace(ONE, wafer_id="\x07")], "g85", "XML can hold"),
        ([replace(ONE, lot_id="\x07")], "e142", "XML can hold"),
        ([replace(ONE, bins=Bins(np.full((2, 2), 3)))], "e142", "pass or to fail"),
        ([replace(ONE, frame=Frame(1 << 40, 0))], "g85", "nine digits"),
    ],
)
def test_what_cannot_be_written(items: list[WaferMap], format: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        data_of(format, *items)
