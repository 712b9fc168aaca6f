"""Writing STDF V4: what was written is read back equal, and what does not fit is refused."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import NAMES, SIZES, bins, grids, wafers
from waferscope.domain.wafermap import Bins, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, write
from waferscope.io.stdf import stdf_bytes, stdf_row


def kept(wafer: WaferMap) -> WaferMap:
    """The wafer as STDF holds it: no patterns, reticle, slot, source or notes; a bin per part."""
    own = wafer.bins or Bins()
    hard = own.hard if own.hard is not None else wafer.dies.astype(np.uint16)
    soft = own.soft if own.soft is not None and own.soft.any() else None
    plain = Bins(hard, soft, own.hard_names, own.soft_names)
    bare = replace(wafer, patterns=None, reticle=None, slot=None, centre=None)
    return replace(bare, bins=plain, source=None, notes=())


def back(*items: WaferMap) -> list[WaferMap]:
    data = stdf_bytes([stdf_row(wafer) for wafer in items])
    return [replace(wafer, source=None) for wafer in read(data, strict=True)]


@settings(max_examples=30)
@given(wafers())
def test_one_wafer_comes_back(wafer: WaferMap) -> None:
    (found,) = back(wafer)
    assert found.notes == ()
    if wafer.frame.swapped:  # STDF has x along the columns: the map lies turned in it
        assert found == kept(wafer.turn())
        assert found.notch_down() == kept(wafer).notch_down()
    else:
        assert found == kept(wafer)


@settings(max_examples=15)
@given(st.data())
def test_a_lot_comes_back(data: st.DataObject) -> None:
    lot: dict[str, Any] = {
        "lot_id": data.draw(NAMES),
        "die_width_mm": data.draw(SIZES),
        "notch": data.draw(st.sampled_from(["down", "left"])),
    }
    start = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    made = []
    for number in range(data.draw(st.integers(1, 4))):
        dies = data.draw(grids())
        own = replace(data.draw(bins(dies)), hard_names={1: "good"}, soft_names={})
        frame = Frame(-number, 3 * number, 1, -1)
        when = start + timedelta(hours=number)
        made.append(
            WaferMap(dies, wafer_id=f"W{number}", frame=frame, bins=own, tested_at=when, **lot)
        )
    assert back(*made) == [kept(wafer) for wafer in made]


def test_a_demo_lot_is_small(tmp_path: Path, rng: np.random.Generator) -> None:
    at = np.arange(28) - 13.5
    disc = np.hypot(at[:, None], at[None, :]) < 13.9
    made = [
        WaferMap(
            np.where(disc, rng.choice([1, 2], disc.shape, p=[0.9, 0.1]), 0),
            wafer_id=f"W{number:02}",
            lot_id="DEMO",
        )
        for number in range(25)
    ]
    (path,) = write(made, tmp_path / "demo.stdf.gz")
    assert path.stat().st_size < 100_000
    found = read(path)
    assert [wafer.wafer_id for wafer in found] == [wafer.wafer_id for wafer in made]
    for one, two in zip(found, made, strict=True):
        assert np.array_equal(one.dies, two.dies[np.ix_(disc.any(1), disc.any(0))])
        assert one.frame.to_xy(0, 0) == (int(disc.any(0).argmax()), int(disc.any(1).argmax()))
    assert gzip.decompress(path.read_bytes())[:6] == b"\x02\x00\x00\x0a\x02\x04"


ONE = WaferMap(np.ones((2, 2), np.uint8), wafer_id="1")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(ONE, lot_id="L"), "one lot_id"),
        (replace(ONE, die_width_mm=3.0), "one die_width_mm"),
        (replace(ONE, notch="up"), "one notch"),
        (replace(ONE, frame=Frame(0, 0, -1, 1)), "grow the same way"),
        (replace(ONE, wafer_id="x" * 256), "at most 255 bytes"),
        (replace(ONE, tested_at=datetime(1960, 1, 1, tzinfo=UTC)), "1970 to 2106"),
        (replace(ONE, frame=Frame(32767, 0)), "coordinates from -32767 to 32767"),
        (replace(ONE, bins=Bins(np.full((2, 2), 40000))), "bins from 0 to 32767"),
        (WaferMap(np.zeros((2, 2), np.uint8), wafer_id="0"), "tested die"),
    ],
)
def test_what_cannot_be_written(other: WaferMap, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        back(ONE, other)


def test_two_names_for_one_bin() -> None:
    grid = np.ones((2, 2), np.uint16)
    named = [replace(ONE, bins=Bins(grid, hard_names={1: name})) for name in ("a", "b")]
    with pytest.raises(FormatError, match="one name per bin"):
        back(*named)


def test_nothing_is_no_file() -> None:
    with pytest.raises(FormatError, match="at least one wafer"):
        stdf_bytes([])
