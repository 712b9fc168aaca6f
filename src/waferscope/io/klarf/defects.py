"""The rows of a list in a KLARF file: where in the file each item stands, and the numbers there.

The columns are those that the file declares. In 1.1 and 1.2 a row may run over several lines, and
IMAGELIST is as long as a count says: its own first item, which agrees with IMAGECOUNT, or (as some
tools write it) IMAGECOUNT alone.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from waferscope.errors import FormatError
from waferscope.io.klarf.records import Table, line_of
from waferscope.io.klarf.tokens import BRACED, STRING, number

MAX_ROWS: Final = 500_000
"""Rows of one list: beyond what inspection tools report."""
_MOST_IMAGES: Final = 1000
_FLAT_ITEM: Final = rb"(?>" + STRING + rb'|[^\s;"]++|")'
_IMAGES: Final = rb"Images\s*+\d*+\s*+" + BRACED
_NESTED_ITEM: Final = rb"(?>" + _IMAGES + rb"|" + STRING + rb'|[^\s;{}"]++|")'
_IMAGE_NUMBER: Final = rb"[+-]?+\d++(?=[\s;]|\Z)"
_BLANK: Final = re.compile(rb"[\s;]*+")

Spans = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rule = Literal["plain", "agreed", "bare", "counted"]


class _MisfitError(Exception):
    """The rows do not have the declared columns; ``place`` is the byte where that shows."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


def locate(data: bytes, table: Table, wanted: Sequence[str]) -> Spans:
    """Return int64 ``[rows, len(wanted), 2]``: first and last byte (half-open) of each item wanted.

    Of a table that the file cuts short the whole rows count. Raises FormatError when the rows do
    not have the columns declared, and when there are more than `MAX_ROWS`.
    """
    flat_images = "IMAGELIST" in table.columns and not table.ends
    rules: tuple[Rule, ...] = ("agreed", "bare", "counted") if flat_images else ("plain",)
    first: _MisfitError | None = None
    for rule in rules:
        try:
            return _walk(data, table, tuple(wanted), rule)
        except _MisfitError as error:
            first = first or error
    assert first is not None
    raise FormatError(
        f"Expected rows of the {len(table.columns)} columns {', '.join(table.columns[:6])} ..., "
        f"got another number of values on line {line_of(data, first.place)} or before it. "
        "Check the list against the columns that the file declares."
    )


def numbers(data: bytes, spans: Spans) -> Floats:
    """Return the numbers at ``[rows, 2]`` byte ranges; NaN where there is none, as for NA."""
    texts = [data[start:end] for start, end in spans.tolist()]
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        found = [number(item) for item in texts]
        return np.array([np.nan if value is None else value for value in found])
    return np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a row is matched: up to the images and behind them, and where in the matches items are.

    ``picks`` gives match (0 or 1) and group of each item wanted, ``count`` the group of the first
    match that counts the images (0: there are none), ``other`` one that has to say the same.
    """

    head: re.Pattern[bytes]
    tail: re.Pattern[bytes] | None
    picks: tuple[tuple[int, int], ...]
    count: int
    other: int = 0


def _plan(table: Table, wanted: Sequence[str], rule: Rule) -> _Plan:
    columns = table.columns
    if rule == "plain":
        head, groups = _pattern(columns, wanted, table.ends)
        return _Plan(head, None, tuple((0, groups[name]) for name in wanted), 0)
    at = columns.index("IMAGELIST")
    counter = "IMAGECOUNT" if rule == "bare" else "IMAGELIST"
    before, behind = columns[: at + (rule != "bare")], columns[at + 1 :]
    if counter not in before:
        raise _MisfitError(table.start)
    head, groups = _pattern(before, (*wanted, counter, "IMAGECOUNT"), False)
    tail, more = _pattern(behind, wanted, False)
    picks = tuple((0, groups[n]) if n in groups else (1, more[n]) for n in wanted)
    other = groups.get("IMAGECOUNT", 0) if rule == "agreed" else 0
    return _Plan(head, tail, picks, groups[counter], other)


def _pattern(
    columns: Sequence[str], wanted: Sequence[str], ends: bool
) -> tuple[re.Pattern[bytes], dict[str, int]]:
    """Return a pattern of one row, and the group of each column wanted (the first of a name)."""
    gap, item = (rb"\s*+", _NESTED_ITEM) if ends else (rb"[\s;]*+", _FLAT_ITEM)
    parts: list[bytes] = []
    groups: dict[str, int] = {}
    passed = 0
    for name in columns:
        if name in wanted and name not in groups:
            groups[name] = len(groups) + 1
            parts += [b"(?:%b%b){%d}+" % (gap, item, passed), b"%b(%b)" % (gap, item)]
            passed = 0
        else:
            passed += 1
    parts.append(b"(?:%b%b){%d}+" % (gap, item, passed))
    return re.compile(b"".join(parts) + (rb"\s*+(?:;|\Z)" if ends else b"")), groups


def _walk(data: bytes, table: Table, wanted: Sequence[str], rule: Rule) -> Spans:
    plan, found, rows = _plan(table, wanted, rule), array("q"), 0
    place, end = table.start, table.end
    while (match := plan.head.match(data, place, end)) is not None:
        rest = match
        if plan.tail is not None:
            if plan.other and number(match[plan.other]) != number(match[plan.count]):
                raise _MisfitError(match.end())
            stop = _skip_images(data, match.end(), end, match[plan.count])
            tail = None if stop < 0 else plan.tail.match(data, stop, end)
            if tail is None:
                break
            rest = tail
        if table.cut and rest.end() == end:
            break  # its last item may be cut short
        place, rows = rest.end(), rows + 1
        if rows > MAX_ROWS:
            raise FormatError(
                f"Expected at most {MAX_ROWS:,} rows in a list, got more. Split the file."
            )
        both = (match, rest)
        for which, group in plan.picks:
            found.extend(both[which].span(group))
    blank = _BLANK.match(data, place, end)
    if not table.cut and (blank is None or blank.end() != end):
        raise _MisfitError(place)
    return np.frombuffer(found, np.int64).reshape(rows, len(wanted), 2)


def _skip_images(data: bytes, place: int, end: int, count: bytes) -> int:
    """Return where the pairs (number, kind) of the images end; -1 where fewer numbers follow."""
    value = number(count)
    if value is None or not 0 <= value <= _MOST_IMAGES or value % 1:
        raise _MisfitError(place)
    match = _items(2 * int(value)).match(data, place, end)
    return -1 if match is None else match.end()


@lru_cache(maxsize=64)
def _items(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:[\s;]*+%b){%d}+" % (_IMAGE_NUMBER, count))
