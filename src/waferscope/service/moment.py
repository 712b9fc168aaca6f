"""Moments in query strings: a date, or a date and time with its zone."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def _read(given: Any) -> Any:
    """Read a plain date as its first moment in UTC, and refuse a bare number.

    A number would be taken for seconds since 1970: `2026`, a year, filtered nothing.
    """
    if not isinstance(given, str):
        return given
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", given):
        return f"{given}T00:00:00Z"
    if re.fullmatch(r"[-+\d.eE_]+", given.strip()):
        raise ValueError(f"Expected a moment such as 2026-11-28 or 2026-11-28T08:00Z, got {given}.")
    return given


Moment = Annotated[AwareDatetime, BeforeValidator(_read)]
"""``since: Moment | None`` takes a date, at 0:00 UTC, or a moment with its zone."""
