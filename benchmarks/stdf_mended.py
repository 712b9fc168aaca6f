"""A big-endian STDF lot made readable for a reader of whole little-endian records.

stdfast 0.2.1 panics on the lots as their tester wrote them, for three habits that STDF V4 allows:
big endian, records without their last fields, and TSR records that sum up all sites (HEAD_NUM 255).
Here the byte order is turned, every record gets its missing fields with nothing in them, and the
TSR records the head and site of the parts. Nothing that a wafer map is made of changes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

# By kind: B, b, c one byte, H, h two, I, f four; s a length byte and as many more.
_LAYOUTS: Final[dict[tuple[int, int], str]] = {
    (0, 10): "BB",
    (1, 10): "IIBcccHc" + "s" * 30,
    (1, 20): "Icss",
    (1, 30): "BBIIIII",
    (1, 40): "BBHIcs",
    (1, 50): "BBHIcs",
    (1, 80): "BBs" + "s" * 16,
    (2, 10): "BBIs",
    (2, 20): "BBIIIIIIssssss",
    (2, 30): "fffBchhcc",
    (5, 10): "BB",
    (5, 20): "BBBHHHhhIsss",
    (10, 30): "BBcIIIIsssBfffff",
    (15, 10): "IBBBBfssBbbbffssssff",
    (20, 10): "s",
    (20, 20): "",
}
_GENERIC: Final = (50, 10)
# By the code before each value of a GDR; 0 is padding.
_VALUES: Final = {0: "", 1: "B", 2: "H", 3: "I", 4: "b", 5: "h", 6: "I", 7: "f", 10: "s", 11: "s"}
_SIZES: Final = {"B": 1, "b": 1, "c": 1, "H": 2, "h": 2, "I": 4, "f": 4}
_TSR: Final = (10, 30)
_FAR: Final = (0, 10)


def mend(data: bytes, head: int = 1, site: int = 0) -> bytes:
    """Return the file in little endian with whole records, TSR records of the head and site."""
    out = []
    for kind, body in _records(data):
        if kind == _FAR:
            new = bytes([2, 4])
        elif kind == _GENERIC:
            new = _generic(body)
        else:
            new = _turn(body, _LAYOUTS[kind])
        if kind == _TSR:
            new = bytes([head, site]) + new[2:]
        out.append(struct.pack("<HBB", len(new), *kind) + new)
    return b"".join(out)


def _records(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = 0
    while at + 4 <= len(data):
        size, first, second = struct.unpack_from(">HBB", data, at)
        yield (first, second), data[at + 4 : at + 4 + size]
        at += 4 + size


def _turn(body: bytes, layout: str) -> bytes:
    at, out = 0, []
    for code in layout:
        if at >= len(body):
            out.append(bytes(_SIZES.get(code, 1)))
            continue
        value, at = _field(body, at, code)
        out.append(value)
    if at != len(body):
        raise ValueError(f"a record of {len(body)} bytes where its layout has {at}")
    return b"".join(out)


def _field(body: bytes, at: int, code: str) -> tuple[bytes, int]:
    if code == "s":
        end = at + 1 + body[at]
        return body[at:end], end
    end = at + _SIZES[code]
    return body[at:end][::-1], end


def _generic(body: bytes) -> bytes:
    count, at = struct.unpack_from(">H", body)[0], 2
    out = [struct.pack("<H", count)]
    for _ in range(count):
        code, value = body[at], b""
        at += 1
        if _VALUES[code]:
            value, at = _field(body, at, _VALUES[code])
        out += [bytes([code]), value]
    return b"".join(out)
