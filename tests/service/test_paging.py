"""Cursors and pages."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.errors import InputError
from waferscope.service.paging import Place, decode, encode, page_of

KEYS = st.lists(st.one_of(st.text(max_size=20), st.integers(), st.floats(allow_nan=False)))


@given(KEYS)
def test_a_cursor_gives_its_key_back(key: list[str | int | float]) -> None:
    assert decode(encode(key)) == tuple(key)


@pytest.mark.parametrize("text", ["!", "abc", "bnVsbA", "e30", "W3t9XQ", "W1td" * 200, "\x00"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        decode(text)


@given(st.text(max_size=50))
def test_no_text_does_harm(text: str) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(decode(text), tuple)


def test_a_page_says_whether_more_follow() -> None:
    full = page_of([3, 2, 1], Place(2), lambda row: [row], str)
    assert full.items == ["3", "2"]
    assert full.next is not None
    assert decode(full.next) == (2,)
    last = page_of([1], Place(2, (2,)), lambda row: [row], str)
    assert (last.items, last.next) == (["1"], None)
    assert page_of([], Place(2), lambda row: [row], str).items == []
