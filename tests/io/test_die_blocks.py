"""Die lists below each other: one wafer per header with names of its own above it."""

from __future__ import annotations

import pytest

from waferscope.io import read
from waferscope.io.die_blocks import part_list

FIRST, SECOND = "1,1,1\n2,1,1\n", "1,1,7\n2,1,1\n"
HEADER = "x,y,bin\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["Wafer: {}", "Wafer ID,{},", "# wafer={}"])
def test_a_header_behind_another_name_begins_another_wafer(end: str, name: str) -> None:
    text = "\n".join(
        ["Lot: A", name.format(1), HEADER + FIRST, name.format(2), "", HEADER + SECOND]
    )
    one, two = read(text.replace("\n", end).encode())
    assert [(w.lot_id, w.wafer_id) for w in (one, two)] == [("A", "1"), ("A", "2")]
    assert (one.dies.tolist(), two.dies.tolist()) == ([[1, 1]], [[2, 1]])
    assert not any("retested" in note for note in (*one.notes, *two.notes))


def test_headers_of_pages_go_on_with_the_list() -> None:
    for page in ("", "\n\n", "Wafer: 5\n"):
        (wafer,) = read(f"Wafer: 5\n{HEADER}{FIRST}{page}{HEADER}1,2,7\n".encode())
        assert wafer.dies.tolist() == [[1, 1], [2, 0]]
        assert wafer.wafer_id == "5"


def test_a_column_that_names_the_wafers_goes_before() -> None:
    text = f"wafer,{HEADER}1,1,1,1\nWafer: 9\nwafer,{HEADER}2,1,1,7\n"
    assert [w.wafer_id for w in read(text.encode())] == ["1", "2"]


def test_parts_of_a_text() -> None:
    text = f"{HEADER}{FIRST}Lot: B\nWafer: 2\n{HEADER}{SECOND}{HEADER}3,1,1\n".encode()
    first, second = part_list(text, 1)
    assert first == ({}, f"{HEADER}{FIRST}Lot: B\nWafer: 2\n".encode())
    assert second == (
        {"lot_id": "B", "wafer_id": "2"},
        f"{HEADER}{SECOND}{HEADER}3,1,1\n".encode(),
    )
    assert part_list(b"x,y,bin", 1) == [({}, b"x,y,bin")]
