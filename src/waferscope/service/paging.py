"""Cursor pagination: a list goes on after the last row that was seen, whatever was added since."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query

from waferscope.errors import InputError
from waferscope.service.schema import Page

DEFAULT: Final = 50
MOST: Final = 500
LONGEST: Final = 1000

Record = TypeVar("Record")
Shown = TypeVar("Shown")


@dataclass(frozen=True)
class Place:
    """How many rows are wanted, and after which sort key (empty: from the start)."""

    limit: int
    after: tuple[Any, ...] = ()


def _place(
    limit: Annotated[int, Query(ge=1, le=MOST, description="rows of a page")] = DEFAULT,
    cursor: Annotated[str, Query(max_length=LONGEST, description="`next` of the page before")] = "",
) -> Place:
    return Place(limit, decode(cursor) if cursor else ())


Paging = Annotated[Place, Depends(_place)]
"""``page: Paging`` in a route gives it ``limit`` and ``cursor``."""


def encode(key: Sequence[Any]) -> str:
    """Return the cursor that stands for a sort key.

    >>> decode(encode([3, "waf_1"]))
    (3, 'waf_1')
    """
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[Any, ...]:
    """Return the sort key of a cursor. Raises InputError for one that we did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or not all(isinstance(one, str | int | float) for one in key):
        raise InputError("Expected a cursor from `next` of a page, got another text. Start anew.")
    return tuple(key)


def page_of(
    rows: Sequence[Record],
    place: Place,
    key: Callable[[Record], Sequence[Any]],
    show: Callable[[Record], Shown],
) -> Page[Shown]:
    """Return a page from up to ``limit + 1`` rows: the one too many says that more follow."""
    kept = rows[: place.limit]
    more = len(rows) > place.limit
    return Page(items=[show(row) for row in kept], next=encode(key(kept[-1])) if more else None)
