"""Rows of the two tables, and what callers may ask for."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from waferscope.io.formats import ReadChoices, ReadOptions, WriteOptions, Writer


def test_every_choice_is_a_field_of_the_options() -> None:
    given = {field.name for field in fields(ReadOptions)}
    assert set(ReadChoices.__annotations__) == given - {"columns"}


def test_the_options_are_fixed_and_share_nothing() -> None:
    one, other = ReadOptions(), ReadOptions()
    assert one == other
    assert one.columns is not other.columns
    assert (one.retests, one.strict, one.pass_bins) == ("last", False, (1,))
    assert WriteOptions().bins is None
    with pytest.raises(FrozenInstanceError):
        one.strict = True  # type: ignore[misc]


def test_only_a_writer_that_asks_is_told_the_options() -> None:
    asked: list[tuple[object, ...]] = []

    def row(*arguments: object) -> int:
        asked.append(arguments)
        return len(arguments)

    options = WriteOptions()
    plain = Writer("a", "", (), "wafers", row, None)
    told = Writer("b", "", (), "wafers", row, None, options=True)
    assert plain.row_of("wafer", options) == 1
    assert told.row_of("wafer", options) == 2
    assert asked == [("wafer",), ("wafer", options)]
