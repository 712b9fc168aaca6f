"""Rows of bin codes: cut by blanks or by width, checked against plain slicing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.errors import FormatError
from waferscope.io.bin_rows import MISSING, Codes, read_rows


def tokens(codes: Codes) -> list[list[str]]:
    return [[codes.names[cell] for cell in row] for row in codes.cells.tolist()]


@settings(max_examples=60)
@given(st.data(), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))
def test_dense_and_parted_rows(data: st.DataObject, width: int, rows: int, cols: int) -> None:
    code = st.text("0123456789ABCDEF._@", min_size=width, max_size=width)
    made = [[data.draw(code) for _ in range(cols)] for _ in range(rows)]
    for gap in ("", " ", "  \t"):
        found = read_rows([f" {gap.join(row)}\r\n" for row in made], width)
        assert tokens(found) == made
        assert found.notes == ()
        assert len(set(found.names)) == len(found.names)


def test_shorter_codes_parted_by_blanks() -> None:
    assert tokens(read_rows(["1 12 255", "3 4 5"], 3)) == [["1", "12", "255"], ["3", "4", "5"]]


def test_blanks_between_groups() -> None:
    assert tokens(read_rows(["1122 3344"], 2)) == [["11", "22", "33", "44"]]


def test_a_blank_may_be_a_code() -> None:
    assert tokens(read_rows([" 1 \n", "111"], 1, " ")) == [[" ", "1", " "], ["1", "1", "1"]]


def test_short_rows_are_filled_up() -> None:
    found = read_rows(["01", "010203"], 2)
    assert tokens(found) == [["01", MISSING, MISSING], ["01", "02", "03"]]
    assert found.notes == ("rows of 1 to 3 dies filled up on the right with no die",)


def test_look_up() -> None:
    found = read_rows(["0102FF"], 2).look_up([7, 9, 0])
    assert found.dtype == np.uint16
    assert found.tolist() == [[7, 9, 0]]


@pytest.mark.parametrize(
    ("rows", "width", "words"),
    [
        ([], 2, "1 to 4096 rows"),
        (["01"] * 4097, 2, "1 to 4096 rows"),
        (["01" * 4097], 2, "4,097 dies"),
        (["01 " * 4097], 2, "4,097 dies"),
        (["1" * 70_000], 1, "70,000 characters"),
        (["", " "], 2, "empty ones alone"),
        (["011"], 2, "no multiple of 2"),
        (["01"], 5, "up to 4 characters"),
        (["0\u4e00"], 2, "plain text"),
        (["0\0"], 2, "NUL"),
        (["".join(f"{n:04}" for n in range(r * 3000, r * 3000 + 3000)) for r in range(3)], 4, None),
        (
            ["".join(chr(33 + n % 90) + f"{n // 90:03}" for n in range(r, r + 4096))
             for r in range(0, 40960, 4096)], 4, "different bins",
        ),
    ],
)  # fmt: skip
def test_rows_of_no_map(rows: list[str], width: int, words: str | None) -> None:
    if words is None:
        assert len(read_rows(rows, width).names) == 9000
        return
    with pytest.raises(FormatError, match=words):
        read_rows(rows, width)
