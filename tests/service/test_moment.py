"""Moments in query strings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from waferscope.service.moment import Moment

READ = TypeAdapter(Moment)


def test_a_date_begins_at_midnight_utc() -> None:
    assert READ.validate_python("2026-11-28") == datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize("given", ["2026-11-28T09:30:00+01:30", "2026-11-28T08:00Z"])
def test_a_moment_keeps_its_zone(given: str) -> None:
    assert READ.validate_python(given) == datetime(2026, 11, 28, 8, tzinfo=UTC)


def test_a_moment_of_another_program_is_taken_as_it_is() -> None:
    moment = datetime(2026, 11, 28, 8, tzinfo=UTC)
    assert READ.validate_python(moment) == moment


@pytest.mark.parametrize("given", ["2026", "20260101", "-1", "1e9", "99999999999", " 2026 "])
def test_a_bare_number_is_no_moment(given: str) -> None:
    """It would be taken for seconds since 1970."""
    with pytest.raises(ValidationError, match="Expected a moment such as 2026-11-28"):
        READ.validate_python(given)


@pytest.mark.parametrize("given", ["2026-11-28T08:00", "2026-02-30", "yesterday", ""])
def test_what_is_no_moment_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(given)
