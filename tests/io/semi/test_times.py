"""Times of digits, there and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.io.semi.times import read_time, write_time


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_to_the_millisecond(when: datetime) -> None:
    text = write_time(when)
    assert text is not None
    assert len(text) == 17
    assert read_time(text) == when.replace(microsecond=when.microsecond // 1000 * 1000)


def test_zones_turn_to_utc() -> None:
    east = timezone(timedelta(hours=8))
    assert write_time(datetime(2024, 1, 1, 7, 30, tzinfo=east)) == "20231231233000000"
    assert write_time(None) is None


def test_other_spellings() -> None:
    assert read_time("2024-05-06T07:08:09") == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert read_time("20240506070809") == read_time("2024/05/06 07:08:09.000")


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024", "20241306070809", "0" * 14, "9" * 99, "２０２４"],
)
def test_no_time(text: str) -> None:
    assert read_time(text) is None
