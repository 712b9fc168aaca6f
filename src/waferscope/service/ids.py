"""Identifiers that sort by the time they were made, and never repeat."""

from __future__ import annotations

import secrets
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """Return ``prefix_`` and 26 letters: 48 bits of milliseconds, then 80 random ones (a ULID).

    >>> first, second = new_id("waf"), new_id("waf")
    >>> len(first), first.startswith("waf_"), first != second
    (30, True, True)
    """
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    letters = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(letters)}"
