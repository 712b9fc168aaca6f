"""Options that say how to read."""

from __future__ import annotations

import numpy as np
import pytest
import typer

from waferscope.cli.reading import (
    ROLES,
    Notes,
    Retest,
    known_format,
    options_of,
    parse_map,
    parse_numbers,
)
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError
from waferscope.io.formats import ReadOptions


def test_words_become_options() -> None:
    options = options_of(["x=A", "bin = HB=1"], Retest.worst, "1,3", "4,5", 0.5)
    columns = {"x": "A", "bin": "HB=1"}
    assert options == ReadOptions("worst", False, columns, (1, 3), (4, 5), 0.5)
    assert options_of() == ReadOptions()


@pytest.mark.parametrize("pair", ["x", "x=", "=x", "die=A", "X=A"])
def test_a_map_names_a_role_and_a_column(pair: str) -> None:
    with pytest.raises(InputError, match="ROLE=COLUMN"):
        parse_map([pair])
    with pytest.raises(InputError):
        parse_map(["x=A", "x=B"])


def test_every_role_of_the_options_can_be_mapped() -> None:
    assert all(role in (ReadOptions.__doc__ or "") for role in ROLES)


@pytest.mark.parametrize("text", ["", ",", "a", "1;2", "-1", "1.5", "999999", "²"])
def test_bins_are_whole_numbers(text: str) -> None:
    with pytest.raises(InputError, match="Expected bins"):
        parse_numbers(text, "bins")


def test_notes_are_printed_once_with_their_count(capsys: pytest.CaptureFixture[str]) -> None:
    notes = Notes()
    for number in range(23):
        notes.add(WaferMap(np.ones((1, 1), np.uint8), notes=("guessed", f"own {number}")))
    notes.print()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["note: guessed (23 wafers)", "note: own 0"]
    assert lines[-1] == "and 4 more notes: see waferscope read --json"
    said: list[str] = []
    notes.print(said.append)
    assert said == lines
    assert capsys.readouterr().out == ""


def test_a_format_is_one_that_can_be_read() -> None:
    assert known_format(None) is None
    assert known_format("stdf") == "stdf"
    with pytest.raises(typer.BadParameter, match=r"Expected one of the formats stdf, .*got 'foo'"):
        known_format("foo")
