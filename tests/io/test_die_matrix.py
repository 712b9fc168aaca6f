"""Matrices in text: every way of writing a die, several wafers, numbered margins."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.wafers import grids
from waferscope.domain.wafermap import MAX_SIDE, DieGrid, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read
from waferscope.io.die_matrix import Aligned, find_matrix, split_cells
from waferscope.io.tokens import TokenTable, parse_token

CROSS = [[0, 1, 0, 0], [1, 2, 1, 1], [0, 1, 0, 2]]


def one(text: str, **options: object) -> WaferMap:
    (wafer,) = read(text.encode(), **options)  # type: ignore[arg-type]
    return wafer


def written(cells: list[list[int]], signs: str, separator: str) -> str:
    return "".join(separator.join(signs[c] for c in row) + "\n" for row in cells)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", ""])
@pytest.mark.parametrize("signs", ["012", ".1X", "-PF", "_12", "*GB", ".10"])
def test_signs_and_separators(separator: str, signs: str) -> None:
    wafer = one(written(CROSS, signs, separator))
    assert wafer.dies.tolist() == CROSS
    assert any("matrix" in note for note in wafer.notes)


@settings(max_examples=40)
@given(grids(12), st.sampled_from([",", ";", "\t", " "]))
def test_any_matrix_of_the_contract(dies: DieGrid, separator: str) -> None:
    text = written(dies.tolist(), "012", separator)
    try:
        found = one(text)
    except FormatError:
        pytest.fail(text)
    assert np.array_equal(found.dies, dies)


def test_blank_cells_and_bins() -> None:
    wafer = one(",1,17,\n1,0,1,4\n,1,,\n")
    assert wafer.dies.tolist() == [[0, 1, 2, 0], [1, 2, 1, 2], [0, 1, 0, 0]]
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard.tolist() == [[0, 1, 17, 0], [1, 0, 1, 4], [0, 1, 0, 0]]
    assert "blank cells taken as no die, 0 as a bin" in wafer.notes
    assert one(",1,17,\n1,0,1,4\n,1,,\n", pass_bins=(17,)).dies[0].tolist() == [0, 2, 1, 0]


def test_plain_codes_are_no_bins() -> None:
    assert one("0,1\n1,2\n0,1\n").bins is None


def test_signs_with_blanks_and_ragged_ends() -> None:
    wafer = one("  11\n 1X11\n  1\n")
    assert wafer.dies.tolist() == [[0, 0, 1, 1, 0], [0, 1, 2, 1, 1], [0, 0, 1, 0, 0]]
    assert any("rows of 3 to 5 cells filled up" in note for note in wafer.notes)


def test_margins_are_coordinates() -> None:
    wafer = one("y\\x,3,4,5\n9,0,1,2\n8,1,1,1\n")
    assert wafer.dies.tolist() == [[0, 1, 2], [1, 1, 1]]
    assert wafer.frame.to_xy(0, 0) == (3, 9)
    assert wafer.frame.to_xy(1, 2) == (5, 8)
    odd = one(",3,4,5\n9,0,1,2\n5,1,1,1\n")
    assert any("row numbers do not run by one" in note for note in odd.notes)
    with pytest.raises(FormatError, match="row number before each row"):
        read(b",3,4,5\n9,0,1,2\nX,1,1,1\n", "csv")


def test_several_wafers() -> None:
    text = "W1\n0,1\n1,1\n\nW2\n0,2\n1,1\n1,1\n\n2,2\n1,1\n"
    found = read(text.encode())
    assert [(w.wafer_id, w.shape) for w in found] == [("W1", (2, 2)), ("W2", (3, 2)), ("", (2, 2))]


def test_comments_are_passed_over_and_name_the_wafer() -> None:
    wafer = one("# Lot: A7\n# hello\n0,1\n1,2\n0,1\n")
    assert wafer.lot_id == "A7"
    assert wafer.shape == (3, 2)


def test_cells_that_mean_nothing() -> None:
    text = "0,1\n1,2\n" * 60 + "1,apple\n"
    with pytest.raises(FormatError, match="'apple'"):
        read(text.encode())


def test_too_wide() -> None:
    with pytest.raises(FormatError, match="at most 4096x4096"):
        read(("1," * 5000 + "1\n").encode() * 3)


@pytest.mark.parametrize(
    ("token", "meaning"),
    [
        ("70000", None),
        ("65535", 65535),
        ("1.0", 1),
        ("2,", 2),
        ('"3"', 3),
        ("-1", -1),
        ("-2", None),
    ],
)
def test_tokens(token: str, meaning: int | None) -> None:
    assert parse_token(token) == meaning


def test_too_many_tokens() -> None:
    table = TokenTable(2)
    assert table.number(["a", "b"]) is not None
    assert table.number(["c"]) is None
    assert table.tokens == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        ",-2,-1,0,1\n2,,1,1,\n1,1,2,1,1\n0,,1,1,\n-1,1,1,1,1\n",
        "y\\x;-2;-1;0;1\n2;;1;1;\n1;1;2;1;1\n0;;1;1;\n-1;1;1;1;1\n",
        "   -2 -1 0 1\n 2  . 1 1 .\n 1  1 2 1 1\n 0  . 1 1 .\n-1  1 1 1 1\n",  # no corner
    ],
)
def test_margins_of_negative_numbers_and_without_a_corner(text: str) -> None:
    wafer = one(text)
    assert wafer.dies.tolist() == [[0, 1, 1, 0], [1, 2, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1]]
    assert wafer.frame == Frame(-2, 2, 1, -1)


def test_a_first_row_of_bins_is_no_margin() -> None:
    assert one("1 2 3\n1 1 1\n1 1 1\n").shape == (3, 3)


def test_a_delimiter_at_the_end_of_each_row_is_no_column() -> None:
    wafer = one("0,1,1,0,\n1,2,1,1,\n0,1,1,0,\n")
    assert wafer.dies.tolist() == [[0, 1, 1, 0], [1, 2, 1, 1], [0, 1, 1, 0]]


def test_titles_name_lot_and_wafers() -> None:
    block = "0,1,0\n1,2,1\n0,1,0\n"
    first, second = read(f"Lot: A7\nWafer: 3\n{block}Lot: A7\nWafer ID,4\n{block}".encode())
    assert [(w.lot_id, w.wafer_id) for w in (first, second)] == [("A7", "3"), ("A7", "4")]


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("     1  1\n  1  1 12  1\n  1  1  1  1  1\n", 3),  # right-aligned
        ("    1   1\n1   1   12  1\n1   1   1   1   1\n", 4),  # left-aligned
        ("  1 1\n1 1 2 1\n1 1 1 1 1\n", 2),
        ("  1 1    \n1 1 2 1  \n1 1 1 1 1\n", 2),
    ],
)
def test_cells_below_each_other(text: str, width: int) -> None:
    wafer = one(text)
    assert wafer.dies.tolist() == [[0, 1, 1, 0, 0], [1, 1, 2, 1, 0], [1, 1, 1, 1, 1]]
    assert f"matrix, cells of {width} signs below each other" in wafer.notes


def test_cells_below_each_other_with_names_and_margins() -> None:
    block = "    1  2  3  4\n 9     1  1\n 8  1  1 12  1\n"
    first, second = read(f"Wafer: 7\n{block}\nsecond one\n{block}".encode())
    assert [w.wafer_id for w in (first, second)] == ["7", "second one"]
    for wafer in (first, second):
        assert wafer.dies.tolist() == [[0, 1, 1, 0], [1, 1, 2, 1]]
        assert wafer.frame == Frame(1, 9, 1, -1)


def test_rows_that_do_not_line_up_are_no_cells() -> None:
    with pytest.raises(FormatError):
        one("1 2\n3 4 5\n")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_blank_cells_may_be_missing_at_the_end_of_rows(separator: str) -> None:
    text = ",,1,1\n,1,1,17\n1,1,1,1,1,1\n,0,1,1,1\n".replace(",", separator)
    wafer = one(text)
    assert wafer.dies.tolist() == [
        [0, 0, 1, 1, 0, 0],
        [0, 1, 1, 2, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [0, 2, 1, 1, 1, 0],
    ]
    assert "rows of 4 to 6 cells filled up on the right" in wafer.notes
    margin = one(",1,2,3,4\n9,,1,1\n8,1,1,2,1\n".replace(",", separator))
    assert margin.dies.tolist() == [[0, 1, 1, 0], [1, 1, 2, 1]]
    assert margin.frame == Frame(1, 9, 1, -1)


def test_a_short_row_of_codes_makes_no_bin_of_0() -> None:
    wafer = one("0,1,0\n1,2,1\n" * 30 + "0,1\n")
    assert wafer.dies[-1].tolist() == [0, 1, 0]
    with pytest.raises(FormatError):
        one("0,1,0\n1,2,1\n0,1\n")


@given(
    st.lists(st.sampled_from(["", "1", "17", "100"]), min_size=1, max_size=8),
    st.integers(4, 6),
    st.integers(0, 3),
    st.booleans(),
)
def test_cells_of_one_width(cells: list[str], width: int, lead: int, to_the_right: bool) -> None:
    """As plain slices cut them, with any of the cells free."""
    padded = [cell.rjust(width) if to_the_right else cell.ljust(width) for cell in cells]
    line = " " * lead + "".join(padded)
    found = split_cells(line, Aligned(width, lead or width))
    expected = [*([""] if lead else []), *cells]
    while expected and not expected[-1]:
        expected.pop()
    assert found[: len(expected)] == expected
    assert not any(found[len(expected) :])


def test_the_largest_matrix_takes_little_memory() -> None:
    side = MAX_SIDE - 1
    data = b"\n".join([b",".join([b"1", b"257"] * (side // 2))] * side)
    tracemalloc.start()
    (wafer,) = read(data, "csv")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert wafer.shape == (side, 2 * (side // 2))
    assert most < 450 << 20


@pytest.mark.parametrize("head", ["x,y", "X,Y", '"x","y"'])
def test_a_list_of_places_is_no_matrix(head: str) -> None:
    """Its header reads as fail and pass."""
    assert find_matrix([head, "0,0", "0,1", "1,0"], (",",)) is None
    assert find_matrix(["x,y", "y,x", "x,x"], (",",)) == (",",)
