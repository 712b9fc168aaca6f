"""Times as G85 and E142 files have them: digits, year to millisecond, without a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from waferscope.errors import FormatError


def read_time(text: str) -> datetime | None:
    """Return the time of digits such as 20240506070809 (more are parts of a second), as UTC.

    >>> read_time("2024050607080950")
    datetime.datetime(2024, 5, 6, 7, 8, 9, 500000, tzinfo=datetime.timezone.utc)
    """
    digits = re.sub(r"[-:T/ .]", "", text.strip()[:40])
    if not (digits.isascii() and digits.isdigit() and 14 <= len(digits) <= 20):
        return None
    try:
        return datetime.strptime(digits[:14] + digits[14:].ljust(6, "0"), "%Y%m%d%H%M%S%f").replace(
            tzinfo=UTC
        )
    except ValueError:
        return None


def write_time(when: datetime | None) -> str | None:
    """Return 17 digits in UTC, to the millisecond."""
    if when is None:
        return None
    try:
        plain = when.astimezone(UTC)
    except OverflowError as error:
        raise FormatError(f"Expected a time of our calendar, got {when}. Correct it.") from error
    return f"{plain.year:04}{plain:%m%d%H%M%S%f}"[:17]
