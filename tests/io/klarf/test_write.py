"""KLARF out: only the numbers of marked defects change, and new files are read back equal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.klarf.klarf_text import COLUMNS, Part, Spot, flat, nested, predicted
from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, write
from waferscope.io.klarf import klarf_bytes, klarf_marked_row, klarf_row

DIES = [(x, y) for x in range(-4, 5) for y in range(-4, 5)]
BLOCK = [(x, y) for x in (-1, 0, 1) for y in (2, 3)]
"""Dies that lie together: a defect region of six."""


def zone_of(wafer: WaferMap, dies: list[tuple[int, int]]) -> Any:
    mask = np.zeros(wafer.shape, bool)
    for x, y in dies:
        mask[wafer.frame.to_cell(x, y)] = True
    return mask


def block_file(columns: tuple[str, ...] = COLUMNS, **layout: Any) -> bytes:
    """Two wafers: the first with the block (two defects on each die) and one die apart."""
    spots = [Spot(x, y, 3, 7) for x, y in BLOCK for _ in range(2)]
    parts = [Part("A", [*spots, Spot(-4, -4, 5, 9)], DIES), Part("B", [Spot(0, 0, 1, 1)], DIES)]
    return flat(parts, columns, **layout)


@pytest.mark.parametrize(
    "name",
    ["LAA_FAA_LAA-01.000", "LARGE_KLARF.000", "QUU_NUU.000", "klarf12DefectListExample.klarf",
     "klarf12Example.klarf", "klarfWithImagelist.klarf", "klarf_no_defect.000", "simple12.klarf",
     "simple18.klarf", "wierdKlarfWithNAs.klarf"],
)  # fmt: skip
def test_real_files_come_back_byte_for_byte(shared_data: Path, name: str, tmp_path: Path) -> None:
    path = shared_data / "formats" / "klarf" / name
    found = read(path)
    (same,) = write(found, tmp_path / "same.klarf")
    assert same.read_bytes() == path.read_bytes()
    (same,) = write([predicted(wafer) for wafer in found], tmp_path / "nothing.klarf")
    assert same.read_bytes() == path.read_bytes()


def test_a_real_lot_gets_its_numbers(shared_data: Path) -> None:
    path = shared_data / "formats" / "klarf" / "QUU_NUU.000"
    found = read(path)
    rows = [klarf_marked_row(predicted(w, {7: w.dies == FAIL})) for w in found]
    before, after = (data.split(b"\n") for data in (path.read_bytes(), klarf_bytes(rows)))
    assert len(before) == len(after)
    changed = 0
    for old, new in zip(before, after, strict=True):
        if re.match(rb" \d+ [\d.]+ [\d.]+ ", old):
            expected = old.split()
            expected[9], expected[11] = b"8", b"1"  # random is one defect for the whole wafer
            end = b";" if old.endswith(b";") else b""
            assert new.rstrip(b";").split() == [*expected[:-1], expected[-1].rstrip(b";")]
            assert new.endswith(end)
            changed += 1
        else:
            assert old == new
    assert changed == 56 + 36 + 95


@settings(max_examples=25)
@given(
    st.permutations([*COLUMNS, "IMAGELIST", "REMARK"]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 5),
    st.integers(0, 3),
)
def test_only_marked_defects_change(columns: list[str], eol: str, wrap: int, turns: int) -> None:
    data = block_file(tuple(columns), eol=eol, wrap=wrap)
    first, second = read(data)
    assert klarf_bytes([klarf_row(first), klarf_row(second)]) == data
    for _ in range(turns):  # a turned map finds its defects all the same
        first = first.turn()
    row = klarf_marked_row(predicted(first, {4: zone_of(first, BLOCK)}))
    spots = [Spot(x, y, 5, 1) for x, y in BLOCK for _ in range(2)]
    parts = [Part("A", [*spots, Spot(-4, -4, 5, 9)], DIES), Part("B", [Spot(0, 0, 1, 1)], DIES)]
    assert klarf_bytes([row]) == flat(parts, columns, eol=eol, wrap=wrap)


def test_records_change_in_the_same_way() -> None:
    old = [Part("A", [Spot(x, y, 3, 7) for x, y in BLOCK], DIES), Part("B", [Spot(0, 0)], DIES)]
    new = [Part("A", [Spot(x, y, 5, 1) for x, y in BLOCK], DIES), Part("B", [Spot(0, 0)], DIES)]
    first, second = read(nested(old))
    rows = [
        klarf_marked_row(predicted(second)),
        klarf_marked_row(predicted(first, {4: zone_of(first, BLOCK)})),
    ]
    assert klarf_bytes(rows) == nested(new)


def test_a_missing_column_is_said_and_left_out() -> None:
    columns = tuple(name for name in COLUMNS if name != "CLUSTERNUMBER")
    data = block_file(columns)
    first, _ = read(data)
    assert any("no CLUSTERNUMBER" in note for note in first.notes)
    out = klarf_bytes([klarf_marked_row(predicted(first, {4: zone_of(first, BLOCK)}))])
    assert [w.dies.tolist() for w in read(out)] == [w.dies.tolist() for w in read(data)]
    assert out != data
    neither = block_file(tuple(name for name in columns if name != "CLASSNUMBER"))
    first, _ = read(neither)
    with pytest.raises(FormatError, match="CLASSNUMBER or CLUSTERNUMBER"):
        klarf_bytes([klarf_marked_row(predicted(first, {4: zone_of(first, BLOCK)}))])
    assert klarf_bytes([klarf_marked_row(predicted(first))]) == neither


def test_predictions_of_several_files_are_refused() -> None:
    one, other = read(block_file())[0], read(block_file(eol="\r\n"))[0]
    with pytest.raises(FormatError, match="one KLARF file"):
        klarf_bytes([klarf_marked_row(predicted(w)) for w in (one, other)])
    with pytest.raises(FormatError, match="two of one"):
        klarf_bytes([klarf_marked_row(predicted(w)) for w in (one, one)])
    with pytest.raises(FormatError, match="at least one"):
        klarf_bytes([])


def test_some_wafers_of_a_file_or_changed_ones_make_a_new_file() -> None:
    first, second = read(block_file())
    assert [w.wafer_id for w in read(klarf_bytes([klarf_row(second)]))] == ["B"]
    dies = first.dies.copy()
    dies[0, 0] = FAIL
    changed = replace(first, dies=dies)
    again = read(klarf_bytes([klarf_row(changed), klarf_row(second)]))
    assert np.array_equal(again[0].dies, dies)


def test_a_wafer_without_dies_is_refused() -> None:
    with pytest.raises(FormatError, match="tested die"):
        klarf_row(WaferMap(np.zeros((2, 2), np.uint8)))
