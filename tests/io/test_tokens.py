"""What a cell for a die can say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.io.tokens import BAD, BLANK, GOOD, TokenTable, find_names, parse_token, state_of


@pytest.mark.parametrize("token", ["", " ", ".", "..", "-", "--", "__", "~", "*", "NaN", "-1"])
def test_blanks(token: str) -> None:
    assert parse_token(token) == BLANK


@pytest.mark.parametrize("token", ["p", "PASS", " Passed ", '"good"', "OK", "True", "yes", "Y"])
def test_good(token: str) -> None:
    assert parse_token(token) == GOOD


@pytest.mark.parametrize("token", ["F", "fail", "Failed", "x", '" X "', "nok", "NG", "false", "no"])
def test_bad(token: str) -> None:
    assert parse_token(token) == BAD


@pytest.mark.parametrize(
    ("token", "number"),
    [("0", 0), ("007", 7), ("+3", 3), ("12.", 12), ("12.00", 12), ("4,0", 4), ("65535", 65535)],
)
def test_bins(token: str, number: int) -> None:
    assert parse_token(token) == number


@pytest.mark.parametrize("token", ["65536", "999999", "-2", "1.5", "1e3", "0x1", "wafer", "²", "٣"])
def test_what_no_cell_holds(token: str) -> None:
    assert parse_token(token) is None


@given(st.integers(0, 65535))
def test_every_bin_reads_as_itself(number: int) -> None:
    assert parse_token(f'" {number} "') == number


def test_states() -> None:
    values = np.array([BLANK, GOOD, BAD, 0, 1, 2, 3])
    assert state_of(values, (1,)).tolist() == [0, 1, 2, 2, 1, 2, 2]
    assert state_of(values, (0, 3)).tolist() == [0, 1, 2, 1, 2, 2, 1]
    assert state_of(values, ()).tolist() == [0, 1, 2, 2, 2, 2, 2]
    assert state_of(values, (1,)).dtype == np.uint8


@given(st.lists(st.lists(st.sampled_from([".", "1", "2", "X", "?"]), max_size=9), max_size=6))
def test_numbers_stand_for_the_tokens(lines: list[list[str]]) -> None:
    table = TokenTable(most=5)
    numbers = [table.number(line) for line in lines]
    for line, found in zip(lines, numbers, strict=True):
        assert found is not None
        assert [table.tokens[number] for number in found] == line
    flat = [token for line in lines for token in line]
    assert table.tokens == sorted(set(flat), key=flat.index)
    assert table.parsed() == [parse_token(token) for token in table.tokens]


def test_too_many_different_tokens() -> None:
    table = TokenTable(most=2)
    found = table.number(["1", "2", "1"])
    assert found is not None
    assert found.tolist() == [0, 1, 0]
    assert table.number(["3"]) is None
    assert table.number(["1"]) is None


def test_names_above_a_table() -> None:
    lines = ["# Lot ID = A7", '"Wafer","3"', "Device: chip", "Yield: 9", "wafers,x,y"]
    assert find_names(lines) == {"lot_id": "A7", "wafer_id": "3", "product": "chip"}
