"""Statements, items and their meaning against what a plain reading of the text gives."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.errors import FormatError
from waferscope.io.klarf import tokens
from waferscope.io.klarf.tokens import items, moment, number, statements, text

values = st.lists(
    st.integers(-999, 999).map(str) | st.sampled_from(['"a; b"', '""', "x-y", '"LotID 1"']),
    max_size=5,
)


@given(st.lists(st.tuples(st.sampled_from(["LotID", "Slot", "Foo"]), values), max_size=8))
def test_statements_come_back(made: list[tuple[str, list[str]]]) -> None:
    data = "".join(f" {name} {' '.join(said)};\n" for name, said in made).encode()
    found = [s for s in statements(data) if s.keyword]
    assert [s.keyword for s in found] == [name.lower() for name, _ in made]
    assert [items(data, s.start, s.end) for s in found] == [
        [value.encode() for value in said] for _, said in made
    ]
    assert all(s.ended for s in found)


def test_a_missing_semicolon_ends_where_a_known_word_begins_a_line() -> None:
    data = b'LotID "a"\nSlot 4;\n  WaferID "LotID"\nEndOfFile'
    found = [(s.keyword, s.ended) for s in statements(data)]
    assert found == [("lotid", False), ("slot", True), ("waferid", False), ("endoffile", False)]


def test_a_quote_without_a_partner_ends_with_its_line() -> None:
    data = b'LotID "a;\nStepID "b;c";\n'
    assert [s.keyword for s in statements(data)] == ["lotid", "stepid"]


def test_too_many_statements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_STATEMENTS", 3)
    with pytest.raises(FormatError, match="at most 3 statements"):
        list(statements(b"A;" * 4))


@pytest.mark.parametrize(
    ("item", "value"),
    [(b"1e3", 1000.0), (b'"7"', 7.0), (b"NA", None), (b"inf", None), (b"nan", None), (b"", None)],
)
def test_numbers(item: bytes, value: float | None) -> None:
    assert number(item) == value


def test_text_has_no_control_signs_and_an_end() -> None:
    assert text(b'"a\0b\x1b[31m"') == "ab[31m"
    assert text("\u00e9".encode()) == text("\u00e9".encode("latin-1")) == "\u00e9"
    assert len(text(b"x" * 10_000)) == tokens.LONGEST_NAME


@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)))
def test_dates_in_every_habit(when: datetime) -> None:
    when = when.replace(microsecond=0)
    clock = f"{when:%H:%M:%S}".encode()
    for form in ("%m-%d-%Y", "%m-%d-%y", "%Y-%m-%d", "%m/%d/%Y"):
        assert moment([when.strftime(form).encode(), clock]) == when.replace(tzinfo=UTC)
    if when.day > 12:
        assert moment([f"{when:%d-%m-%Y}".encode(), clock]) == when.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "said", [[], [b"x"], [b"13-13-2024"], [b"02-30-24"], [b"01-01-24", b"25:00:00"]]
)
def test_no_date(said: list[bytes]) -> None:
    assert moment(said) is None
