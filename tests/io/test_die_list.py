"""Die lists: columns by name or by looks, verdicts by habit, and what was left out is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.one_wafer import one, said
from waferscope.domain.wafermap import Frame
from waferscope.errors import FormatError
from waferscope.io import read
from waferscope.io.die_list import ListPlan, cut_row, find_list, read_die_list
from waferscope.io.formats import ReadOptions, Retests

LISTS = {
    "commas": "x,y,bin\n1,1,1\n2,1,7\n2,2,1\n",
    "semicolons, German": "X-Koord;Y;X;Bin\n9;1;1;1\n9;1;2;7\n9;2;2;1\n",
    "tabs": "DIE_X\tDIE_Y\tHARD_BIN\n1\t1\t1\n2\t1\t7\n2\t2\t1\n",
    "bars": "col|row|bin\n1|1|1\n2|1|7\n2|2|1\n",
    "blanks": "  X   Y  Bin\n  1   1   1\n  2   1   7\n  2   2   1\n",
    "quotes": '"X","Y","Bin"\n"1","1","1"\n"2","1","7"\n"2","2","1"\n',
    "CRLF": "x,y,bin\r\n1,1,1\r\n2,1,7\r\n2,2,1\r\n",
    "CR": "x,y,bin\r1,1,1\r2,1,7\r2,2,1\r",
    "no last newline": "x,y,bin\n1,1,1\n2,1,7\n2,2,1",
    "decimals": "x,y,bin\n1.0,1.00,1\n2.,1,7\n+2,2,1\n",
    "before the header": "Test report\n\nOperator: x, y\n#\nx,y,bin\n1,1,1\n2,1,7\n2,2,1\n",
    "other columns": "site,x,y,time,bin,z\n0,1,1,5.5,1,a\n1,2,1,5.5,7,b\n0,2,2,5.5,1,c\n",
    "no header": "1,1,1\n2,1,7\n2,2,1\n3,3,1\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_die_lists(name: str) -> None:
    wafer = one(LISTS[name])
    assert wafer.dies[:2, :2].tolist() == [[1, 2], [0, 1]]
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard[0, 1] == 7
    assert said(wafer, "bin 1 taken as pass")
    assert said(wafer, "die list parted by")


@pytest.mark.parametrize(
    ("header", "good", "bad"),
    [
        ("pass", "1", "0"),
        ("Result", "PASS", "FAIL"),
        ("P/F", "P", "F"),
        ("status", "ok", "nok"),
        ("is_pass", "True", "False"),
        ("fail", "0", "1"),
        ("defective", "no", "yes"),
        ("pass", "1", "2"),
        ("result", "1", "14"),
    ],
)
def test_verdicts(header: str, good: str, bad: str) -> None:
    wafer = one(f"x,y,{header}\n0,0,{good}\n1,0,{bad}\n2,0,\n3,0,{good}\n")
    assert wafer.dies.tolist() == [[1, 2, 0, 1]]
    assert said(wafer, "1 dies without a result left out")


def test_pass_rules_over_bins_and_soft_bins_are_kept() -> None:
    wafer = one("x,y,bin,sbin,pass\n0,0,3,30,1\n1,0,1,10,0\n")
    assert wafer.dies.tolist() == [[1, 2]]
    assert wafer.bins is not None
    assert wafer.bins.soft is not None
    assert wafer.bins.soft.tolist() == [[30, 10]]


def test_pass_bins_and_columns_by_name() -> None:
    text = "x,y,bin,Cat A\n0,0,3,1\n1,0,1,3\n"
    assert one(text, pass_bins=(3, 4)).dies.tolist() == [[1, 2]]
    assert one(text, columns={"bin": "cat a"}).dies.tolist() == [[1, 2]]
    with pytest.raises(FormatError, match="bin='nowhere'"):
        read(text.encode(), columns={"bin": "nowhere"})


def test_bin_zero_off_the_wafer() -> None:
    cells = [[0, 1, 0], [1, 2, 1], [0, 1, 0]]
    rows = "".join(f"{x},{y},{cells[y][x]}\n" for y in range(3) for x in range(3))
    wafer = one("x,y,bin\n" + rows)
    assert wafer.dies.tolist() == cells
    assert said(wafer, "bin 0 taken as no die")
    wafer = one("x,y,bin\n0,0,0\n1,0,1\n")
    assert wafer.dies.tolist() == [[2, 1]]
    assert not said(wafer, "bin 0")


@pytest.mark.parametrize(("retests", "state"), [("last", 1), ("first", 1), ("worst", 2)])
def test_retests(retests: str, state: int) -> None:
    wafer = one("x,y,pass\n0,0,1\n0,0,0\n0,0,1\n1,0,1\n", retests=retests)
    assert wafer.dies.tolist() == [[state, 1]]
    assert said(wafer, "2 results retested")


def test_wafers_and_lots_in_the_order_of_their_first_row() -> None:
    text = "lot,wafer,x,y,pass\nL2,b,0,0,1\nL1,a,0,0,0\nL2,b,1,0,0\nL2,a,5,5,1\n"
    found = [(w.lot_id, w.wafer_id, w.dies.tolist()) for w in read(text.encode())]
    assert found == [("L2", "b", [[1, 2]]), ("L1", "a", [[2]]), ("L2", "a", [[1]])]


def test_rows_that_are_no_dies_are_counted() -> None:
    wafer = one("x,y,bin\n0,0,1\n1,0,2\nnan,0,1\n1e9,0,1\n0.5,0,1\nTotal: 5\n,,\n")
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, "5 rows without whole coordinates left out")


def test_results_that_mean_nothing_are_named() -> None:
    assert said(one("x,y,pass\n0,0,1\n1,0,banana\n"), "mean nothing: 'banana'")


def test_rows_and_columns_that_contradict_x_and_y() -> None:
    wafer = one("row,col,x,y,bin\n0,0,5,5,1\n0,1,9,5,1\n1,0,5,7,1\n")
    assert said(wafer, "do not follow row and col")
    assert wafer.frame == Frame()


def test_cells_of_a_line() -> None:
    assert cut_row('"a;b"; 2 ;', ";") == ["a;b", "2", ""]
    assert cut_row("  1 \t 2  ", " ") == ["1", "2"]
    assert cut_row("", ",") == []


def test_a_header_gives_the_columns() -> None:
    plan = find_list(["made by hand", "No;Die X;DIE_Y;Hard-Bin;Note"], {}, (",", ";"))
    assert plan == ListPlan(
        ";",
        first=2,
        width=5,
        roles={"x": 1, "y": 2, "bin": 3},
        header=("No", "Die X", "DIE_Y", "Hard-Bin", "Note"),
    )
    assert plan.in_words() == "x from 'Die X', y from 'DIE_Y', bin from 'Hard-Bin'"


def test_a_column_by_name_goes_before_the_usual_one() -> None:
    header = ["x,y,u,v,bin"]
    plan = find_list(header, {"x": " U ", "y": "v"}, (",",))
    assert plan is not None
    assert plan.roles == {"x": 2, "y": 3, "bin": 4}
    assert find_list(header, {"x": "w"}, (",",)) is None


ROWS = [f"{10 + n % 3} {n // 3} {1 + n % 2}" for n in range(9)]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (ROWS, True),
        (ROWS[:4], True),
        (ROWS[:3], False),  # too few to be sure
        ([*ROWS, ROWS[0]], False),  # a die twice
        ([*ROWS, "1 2"], False),  # a row of another width
        ([*ROWS, "a b 1"], False),
        ([f"{n % 3} {n // 3} 1" for n in range(9)], False),  # as likely three columns of states
    ],
)
def test_rows_without_a_header(lines: list[str], found: bool) -> None:
    plan = find_list([*lines, ""], {}, (" ",))
    assert (plan is not None) == found
    assert find_list(lines, {"x": "x"}, (" ",)) is None
    if plan is not None:
        assert plan.in_words() == "x from 'column 1', y from 'column 2', bin from 'column 3'"


def test_the_fields_given_hold_unless_a_row_says_otherwise() -> None:
    plan = ListPlan(",", 1, 4, {"x": 1, "y": 2, "bin": 3, "wafer": 0})
    data = b"wafer,x,y,bin\n,3,4,1\nB,0,0,2\nB,0,0,1,9\n"
    given = {"wafer_id": "A", "product": "P", "notes": ("first",)}
    unnamed, named = read_die_list(data, plan, "utf-8", ReadOptions(), given)
    assert (unnamed.wafer_id, named.wafer_id) == ("A", "B")
    assert unnamed.product == named.product == "P"
    assert unnamed.frame == Frame(3, 4)
    assert named.dies.tolist() == [[2]]
    assert named.notes[0] == "first"
    assert said(named, "1 rows without whole coordinates left out")


def test_bytes_of_another_encoding_are_refused() -> None:
    plan = ListPlan(",", 1, 3, {"x": 0, "y": 1, "bin": 2})
    with pytest.raises(FormatError, match="3 columns, got text that cannot be cut"):
        read_die_list(b"x,y,bin\n1,1,\xff\xfe\n", plan, "utf-8", ReadOptions(), {})


Rows = list[tuple[int, int, int]]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(*[st.integers(-20, 20)] * 2, st.integers(1, 4)), min_size=1, max_size=30),
    st.sampled_from(["first", "last", "worst"]),
)
def test_dies_are_those_of_a_plain_walk(rows: Rows, retests: Retests) -> None:
    expected: dict[tuple[int, int], int] = {}
    for x, y, number in rows:
        state, before = 1 if number == 1 else 2, expected.get((x, y))
        new = {"first": before, "last": state, "worst": max(before or 0, state)}[retests]
        expected[x, y] = new or state
    text = "x,y,bin\n" + "".join(f"{x},{y},{number}\n" for x, y, number in rows)
    wafer = one(text, retests=retests)
    cells = {wafer.frame.to_xy(int(r), int(c)): (r, c) for r, c in np.argwhere(wafer.dies)}
    assert {xy: int(wafer.dies[cell]) for xy, cell in cells.items()} == expected


def test_places_that_stand_for_none_are_left_out() -> None:
    rows = [f"{x},{y},1" for x in range(6) for y in range(6)]
    wafer = one("\n".join(["x,y,bin", *rows, "-9999,-9999,7", ""]))
    assert wafer.shape == (6, 6)
    assert said(wafer, "1 results far from all others left out: -9999,-9999")


def test_names_lose_the_decimals_of_a_spreadsheet() -> None:
    found = read(b"wafer,x,y,bin\n3.0,0,0,1\n12.0,0,0,1\n1.25,0,0,1\n")
    assert [w.wafer_id for w in found] == ["3", "12", "1.25"]


@pytest.mark.parametrize(
    "header",
    [
        "Wafer Num,X Position,Y Position,Hard Bin Num,Soft Bin Num",
        "wafer_nr,DIE_X_COORD,DIE_Y_COORD,HBIN_NO,SBIN_NO",
        "WAFER,X-Koordinate,Y-Koordinate,Hard Bin Number,Soft Bin Number",
    ],
)
def test_headers_of_testers_and_databases(header: str) -> None:
    wafer = one(f"{header}\n7,4,2,1,10\n7,5,2,3,30\n")
    assert wafer.wafer_id == "7"
    assert wafer.dies.tolist() == [[1, 2]]
    assert wafer.bins is not None
    assert wafer.bins.soft is not None
    assert wafer.bins.soft.tolist() == [[10, 30]]
    assert wafer.frame == Frame(4, 2)


def test_the_surest_header_counts_wherever_it_stands() -> None:
    wafer = one("X Position,Y Position,X,Y,Bin\n-20.5,3.5,4,2,1\n-15.5,3.5,5,2,3\n")
    assert wafer.dies.tolist() == [[1, 2]]
    assert wafer.frame == Frame(4, 2)


def test_columns_that_are_not_read_are_named() -> None:
    wafer = one("Los-Kennung,x,y,bin,,Site\nA,0,0,1,,2\nB,1,0,2,,2\n")
    assert said(wafer, "columns not read: Los-Kennung, Site")
    assert not said(one("x,y,bin\n0,0,1\n"), "columns not read")


def test_dies_without_a_place_are_counted() -> None:
    for rows in (2, 30):  # with few dies none is taken as far from the others
        body = "".join(f"{n},0,1\n-32768,-32768,3\n" for n in range(rows))
        wafer = one(f"x,y,bin\n{body}")
        assert wafer.shape == (1, rows)
        assert said(wafer, f"{rows} rows without whole coordinates left out")


def test_one_retest_is_said_in_the_singular() -> None:
    assert said(one("x,y,pass\n0,0,1\n0,0,0\n1,0,1\n"), "1 result retested")
