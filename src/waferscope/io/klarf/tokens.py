"""KLARF on the byte level: statements, items, and what an item says.

Strings stand in double quotes and end on their line; a quote without a partner is a sign like any
other. Every pattern here is possessive: no input makes it go back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from waferscope.errors import FormatError

STRING: Final = rb'"[^"\r\n]*+"'
_FLAT: Final = rb'[^{}"]++|' + STRING + rb'|"'
BRACED: Final = rb"\{(?>" + _FLAT + rb"|\{(?>" + _FLAT + rb")*+\})*+\}"
"""What stands in braces, with further ones in it: the images of a defect, each in its own."""
MAX_STATEMENTS: Final = 200_000
LONGEST_NAME: Final = 200
_LONGEST_FIELD: Final = 1 << 16
_STATEMENT: Final = re.compile(rb'(?>[^;"]++|' + STRING + rb'|")*+(;?)')
_ITEM: Final = re.compile(STRING + rb'|[^\s;,{}"]++')
_KEYWORD: Final = re.compile(rb"[\s;]*+([A-Za-z][A-Za-z0-9_]*+)")
_NEXT: Final = re.compile(
    rb"[\r\n][ \t]*+(?=[A-Za-z])(?=(?:AreaPerTest|"
    rb"ClassLookup|CoordinatesCentered|CoordinatesMirrored|"
    rb"DefectList|DefectRecordSpec|DeviceID|DieOrigin|DiePitch|EndOfFile|FileTimestamp|"
    rb"InspectionStationID|InspectionTest|LotID|OrientationInstructions|OrientationMarkLocation|"
    rb"ProcessEquipmentIDList|RemovedDieList|ResultTimestamp|SampleCenterLocation|SampleDieMap|"
    rb"SampleOrientationMarkType|SampleSize|SampleTestPlan|SampleType|SetupID|Slot|StepID|"
    rb"SummaryList|SummarySpec|TiffFileName|TiffSpec|WaferID)\b)",
    re.IGNORECASE,
)
_DATE: Final = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of KLARF 1.1 or 1.2: its keyword in small letters ("" when none stands there).

    Its values are the bytes from ``start`` to ``end``; ``ended`` says whether a semicolon follows.
    """

    keyword: str
    start: int
    end: int
    ended: bool


def statements(data: bytes) -> Iterator[Statement]:
    """Yield the statements of a file; one that lacks its semicolon ends where the next begins.

    Raises FormatError when there are more than any file has.
    """
    place, count = 0, 0
    while place < len(data):
        match = _STATEMENT.match(data, place)
        if match is None:  # cannot be: the pattern also fits nothing
            return
        place, stop = match.end(), match.start(1)
        cuts = [cut.end() for cut in _NEXT.finditer(data, match.start(), stop)]
        for start, end in zip([match.start(), *cuts], [*cuts, stop], strict=True):
            count += 1
            if count > MAX_STATEMENTS:
                raise FormatError(
                    f"Expected at most {MAX_STATEMENTS:,} statements in a KLARF file, got more. "
                    "Check that it is one."
                )
            word = _KEYWORD.match(data, start, end)
            keyword = "" if word is None else word[1].decode("ascii").lower()
            if word is not None or data[start:end].strip():
                first = start if word is None else word.end()
                yield Statement(keyword, first, end, end == stop and bool(match[1]))


def items(data: bytes, start: int, end: int) -> list[bytes]:
    """Return the values of a short statement, strings with their quotes.

    >>> items(b'SetupID "a; b" 01-02-24 10:00:00;', 7, 32)
    [b'"a; b"', b'01-02-24', b'10:00:00']
    """
    return _ITEM.findall(data, start, min(end, start + _LONGEST_FIELD))


def text(item: bytes) -> str:
    r"""Return an item as text, quotes and what cannot be printed taken off; UTF-8, else Latin-1.

    >>> text(b'"W\xfc 7"'), text(b"DOWN")
    ('Wü 7', 'DOWN')
    """
    plain = item.strip(b'"')
    try:
        words = plain.decode()
    except UnicodeDecodeError:
        words = plain.decode("latin-1")
    return "".join(sign for sign in words[:LONGEST_NAME] if sign.isprintable()).strip()


def number(item: bytes) -> float | None:
    """Return the finite number an item holds; None for NA, infinity and anything else.

    >>> number(b"2.5e+003"), number(b"NA")
    (2500.0, None)
    """
    try:
        value = float(item.strip(b'"'))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def moment(values: list[bytes]) -> datetime | None:
    """Return date and time, month first unless that cannot be; None when they are none.

    >>> str(moment([b"10-19-21", b"10:06:32"])), str(moment([b'"2000-01-30"', b'"15:40:57"']))
    ('2021-10-19 10:06:32+00:00', '2000-01-30 15:40:57+00:00')
    """
    date, clock = (_DATE.fullmatch(text(v)) for v in values[:1]), [text(v) for v in values[1:2]]
    found, time = next(date, None), _CLOCK.fullmatch(clock[0] if clock else "00:00:00")
    if found is None or time is None:
        return None
    first, second, third = (int(part) for part in found.groups())
    if len(found[1]) > 2:
        year, month, day = first, second, third
    else:
        year, month, day = third, first, second
        month, day = (day, month) if month > 12 else (month, day)
        if len(found[3]) <= 2:
            year += 1900 if year >= 69 else 2000
    try:
        hour, minute, second = (int(part) for part in time.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
