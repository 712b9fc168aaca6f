"""JSON within limits: a small file cannot ask for much memory, nor for deep recursion."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from waferscope.errors import FormatError
from waferscope.io.archive import Blob

LARGEST_ASCII: Final = 64 << 20
LARGEST_OTHER: Final = 16 << 20
"""Bytes; a text beyond ASCII takes four bytes per letter in memory."""
MOST_VALUES: Final = 4_000_000


def load_json(blob: Blob) -> Any:
    """Return what a JSON file holds; raise FormatError when it is not JSON or beyond the limits."""
    data = blob.read_all()
    most = LARGEST_ASCII if data.isascii() else LARGEST_OTHER
    values = sum(data.count(sign) for sign in (b",", b"[", b"{"))
    if len(data) > most or values > MOST_VALUES:
        raise FormatError(
            f"Expected JSON of at most {most:,} bytes and {MOST_VALUES:,} values, got {blob.name} "
            f"of {len(data):,} and {values:,}. Split it, or write Parquet."
        )
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"Expected JSON, got {blob.name} with {type(error).__name__} ({str(error)[:120]}). "
            "Check what wrote it."
        ) from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
