"""SINF wafer maps (KLA's Simplified INF, text): headers and one RowData line per row.

Kept: names of product, lot and wafer, die sizes, notch, frame, bins, pass and fail. Source: the
format as published by makers of map converters; FNLOC 0 is the top, 90 right, 180 bottom, 270 left.
Codes have two digits, hexadecimal, or three, decimal. ``__`` is no die, ``@@`` an untested one; of
two digits FD and FE are edge dies and FF a reference die, unless BCEQU lists them as good.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from waferscope.domain.wafermap import (
    FAIL,
    MAX_SIDE,
    NO_DIE,
    PASS,
    Bins,
    Frame,
    Notch,
    Source,
    WaferMap,
)
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.bin_rows import LONGEST_ROW, MISSING, read_rows
from waferscope.io.files import file_stem
from waferscope.io.formats import ReadOptions

LARGEST: Final = 96 << 20
_MOST_HEADERS: Final = 1000
_MOST_LINES: Final = 400_000
_MOST_WAFERS: Final = 1000
_TOLD: Final = tuple(
    re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n])[ \t]*" + name + rb"[ \t]*[:=]", re.IGNORECASE)
    for name in (rb"RowData", rb"ROWCT", rb"COLCT")
)
_ROW: Final = re.compile(r"\s*RowData\s*[:=]?", re.IGNORECASE)
_HEADER: Final = re.compile(r"[ \t]*([A-Za-z][\w ]{0,40})[:=](.*)")
_BARE: Final = re.compile(r"[ \t]*[0-9A-Fa-f_@]+(?=[ \t])[0-9A-Fa-f_@ \t]*")
_LINE: Final = re.compile(rb"[^\r\n]+")
_NOTCHES: Final[Mapping[float, Notch]] = {0: "up", 90: "right", 180: "down", 270: "left"}
DEGREES: Final = {notch: int(degrees) for degrees, notch in _NOTCHES.items()}
_MM: Final = {"mm": 1.0, "mil": 0.0254, "um": 1e-3, "micron": 1e-3, "cm": 10.0, "in": 25.4}
_NONE: Final = re.compile(r"[_.\-~ ]*")
_SPECIAL: Final = {"FD": "edge", "FE": "edge", "FF": "reference"}
_DENSE: Final = (
    re.compile(r"(?:[0-9A-Fa-f]{2}|([_@.\-~])\1)*+"),
    re.compile(r"(?:[0-9]{3}|([_@.\-~])\1\1)*+"),
)
"""Rows without blanks, of codes of two and of three digits."""
_FRAME: Final = re.compile(r"frame x0=(-?\d{1,9}) y0=(-?\d{1,9}) dx=(-?1) dy=(-?1)")


@dataclass(slots=True)
class _Map:
    """One wafer's lines: headers by their upper-case name, and the rows."""

    headers: dict[str, str] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)


def is_sinf(head: bytes) -> bool:
    """Tell a SINF file by a RowData line, or by its counts of rows and columns."""
    row_data, *counts = (pattern.search(head) is not None for pattern in _TOLD)
    return row_data or all(counts)


def read_sinf(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of a SINF file; raise FormatError when it holds no map."""
    data = blob.read_all()
    if len(data) > LARGEST:
        raise FormatError(
            f"Expected a SINF file of at most {LARGEST:,} bytes, got {blob.name} of {len(data):,}. "
            "Split it by wafer."
        )
    maps = list(_maps(data, blob.name))
    if not maps:
        raise FormatError(
            f"Expected RowData lines in {blob.name} (SINF), got none. Check that it is whole."
        )
    return [_read_map(one, number, blob, options) for number, one in enumerate(maps, 1)]


def _maps(data: bytes, name: str) -> Iterator[_Map]:
    """Yield the lines of each wafer: headers after rows begin another one."""
    found, count = _Map(), 0
    for number, match in enumerate(_LINE.finditer(data.removeprefix(codecs.BOM_UTF8))):
        if number > _MOST_LINES or match.end() - match.start() > LONGEST_ROW:
            raise FormatError(
                f"Expected a SINF file of at most {_MOST_LINES:,} lines of {LONGEST_ROW:,} bytes, "
                f"got more in {name}. Check that it is one."
            )
        line = _text(match[0])
        row = _ROW.match(line)
        if row is not None or (found.headers and _BARE.fullmatch(line)):
            found.rows.append(line[row.end() if row else 0 :])
        elif (header := _HEADER.match(line)) is not None:
            if found.rows:
                yield found
                found, count = _Map(), count + 1
            plain = "".join(sign for sign in header[2].strip() if sign.isprintable())
            found.headers.setdefault(header[1].strip().upper(), plain)
        if len(found.rows) > MAX_SIDE or len(found.headers) > _MOST_HEADERS or count > _MOST_WAFERS:
            raise FormatError(
                f"Expected at most {_MOST_WAFERS} wafers of {MAX_SIDE} rows and few headers in a "
                f"SINF file, got more in {name}. Check that it is one."
            )
    if found.rows:
        yield found


def _text(line: bytes) -> str:
    """Return a line as UTF-8 where it is, else byte by byte."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _read_map(one: _Map, number: int, blob: Blob, options: ReadOptions) -> WaferMap:
    notes: list[str] = []
    get = one.headers.get
    rows, cols = (_count(get(name, "")) for name in ("ROWCT", "COLCT"))
    width = _width(one.rows, cols)
    lines = [_filled(row, width, cols) for row in one.rows]
    if lines != one.rows:
        notes.append("blanks in place of codes taken as no die")
    codes = read_rows(lines, width)
    notes += codes.notes
    good = [code.upper() for code in re.split(r"[,;\s]+", get("BCEQU", "")) if code]
    states, bins = _meanings(codes.names, good, options, notes)
    counts = np.bincount(codes.cells.reshape(-1), minlength=len(states)).tolist()
    notes += _left_out(codes.names, states, counts)
    dies = codes.look_up(states).astype(np.uint8)
    hard = codes.look_up(bins)
    shape = dies.shape[0], dies.shape[1]
    if (rows and rows != shape[0]) or (cols and cols != shape[1]):
        notes.append(f"ROWCT and COLCT say {rows}x{cols} dies, the map {shape[0]}x{shape[1]}")
    if any(get(name) for name in ("REFPX", "REFPY")):
        notes.append(f"reference die at {get('REFPX', '')[:20]},{get('REFPY', '')[:20]}")
    return WaferMap(
        dies,
        wafer_id=get("WAFER") or _name(blob.name, number),
        lot_id=get("LOT") or None,
        product=get("DEVICE") or None,
        die_width_mm=_size(get("XDIES", ""), get("DUTMS", ""), notes),
        die_height_mm=_size(get("YDIES", ""), get("DUTMS", ""), notes),
        notch=_notch(get("FNLOC", ""), notes),
        frame=_frame(get("COMMENT", "")),
        bins=Bins(hard=hard) if hard.any() else None,
        source=Source("sinf", blob.name, blob.sha256),
        notes=tuple(notes),
    )


def _width(rows: Sequence[str], cols: int) -> int:
    """Return the characters of a code, from the first row that has any.

    Of rows without blanks, when the number of dies is not said either, those that can be cut into
    codes of three digits alone are.
    """
    tokens = next((cells for row in rows if (cells := row.split())), [])
    if len(tokens) == 1 and cols > 1:
        return max(1, len(tokens[0]) // cols)
    if len(tokens) > 1:
        return max(map(len, tokens))
    two, three = (all(dense.fullmatch(row.strip()) for row in rows) for dense in _DENSE)
    return 3 if three and not two else 2


def _filled(row: str, width: int, cols: int) -> str:
    """Return a row with marks where blanks stand for codes; as it is where none do.

    Codes parted by a blank stand at places a code and a blank apart; fewer of them than there are
    columns leave some free, before or between them.
    """
    words = [(match.start(), match[0]) for match in re.finditer(r"\S+", row)]
    if not 0 < len(words) < cols <= MAX_SIDE or any(len(word) != width for _, word in words):
        return row
    first, step = words[0][0] % (width + 1), width + 1
    places = [(start - first) / step for start, _ in words]
    free = places[-1] >= len(words)
    if first > 1 or not free or places[-1] >= cols or any(place % 1 for place in places):
        return row
    cells = ["_" * width] * cols
    for place, (_, word) in zip(places, words, strict=True):
        cells[int(place)] = word
    return " ".join(cells)


def _meanings(
    names: Sequence[str], good: Sequence[str], options: ReadOptions, notes: list[str]
) -> tuple[list[int], list[int]]:
    """Return the state and the bin number of each code."""
    three = max((len(name) for name in names), default=2) == 3
    digits = "".join((*names, *good))
    base = 10 if three and not re.search("[A-Fa-f]", digits) else 16
    numbers = [_number(name, base) for name in names]
    passing = {n for code in good if (n := _number(code, base)) is not None}
    if not passing:
        passing = set(options.pass_bins)
        notes.append(f"no BCEQU: bin {', '.join(map(str, options.pass_bins))} taken as pass")
    if all(number is None for number in numbers):
        raise FormatError(
            "Expected a die with a bin of two or three digits in the rows of a SINF map, got none. "
            "Check the RowData lines."
        )
    states, bins = [], []
    for name, value in zip(names, numbers, strict=True):
        special = len(name) == 2 and name.upper() in _SPECIAL and value not in passing
        state = NO_DIE if value is None or special else PASS if value in passing else FAIL
        states.append(state)
        bins.append(value if value and state else 0)
    if any(state and value == 0 for state, value in zip(states, numbers, strict=True)):
        notes.append("bin 0 is a bin of tested dies in this file; in a map 0 stands for none")
    return states, bins


def _left_out(names: Sequence[str], states: Sequence[int], counts: Sequence[int]) -> list[str]:
    """Return notes on dies that are there and count as none."""
    kinds: dict[str, int] = {}
    for name, state, count in zip(names, states, counts, strict=True):
        if state == NO_DIE and name != MISSING and not _NONE.fullmatch(name):
            kind = _SPECIAL.get(name.upper(), "untested" if set(name) == {"@"} else f"{name!r}")
            kinds[kind] = kinds.get(kind, 0) + count
    return [f"{count} {kind} dies taken as no die" for kind, count in sorted(kinds.items())]


def _number(code: str, base: int) -> int | None:
    if not (code.isascii() and code.isalnum() and len(code) <= 4):
        return None
    try:
        return int(code, base)
    except ValueError:
        return None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0


def _size(text: str, units: str, notes: list[str]) -> float | None:
    """Return a die's side in mm; a unit may stand behind the number, else DUTMS has it."""
    match = re.match(r"\s*(\d{1,9}(?:[.,]\d{1,9})?(?:[eE][+-]?\d\d?)?)\s*([a-zA-Z]*)", text)
    if match is None:
        return None
    unit = (match[2] or units or "mm").lower()
    factor = _MM.get(unit) or _MM.get(unit.removesuffix("s"))
    if factor is None:
        notes.append(f"sizes in unknown units ({unit[:20]}) left out")
        return None
    return round(float(match[1].replace(",", ".")) * factor, 9) or None


def _notch(text: str, notes: list[str]) -> Notch:
    match = re.match(r"\s*(\d{1,4})", text)
    if match is not None and int(match[1]) % 360 in _NOTCHES:
        return _NOTCHES[int(match[1]) % 360]
    said = f"FNLOC {text[:20]!r}" if text else "no FNLOC"
    notes.append(f"{said}: the notch taken as down")
    return "down"


def _frame(comment: str) -> Frame:
    match = _FRAME.search(comment)
    x0, y0, dx, dy = (int(number) for number in match.groups()) if match else (0, 0, 1, 1)
    return Frame(x0, y0, dx, dy)


def _name(name: str, number: int) -> str:
    stem = file_stem(name)
    return stem if number == 1 else f"{stem}-{number}"
