"""STDF V4 on the byte level: a scanner over the records a wafer map needs, and their fields.

Standard Test Data Format Version 4 (Teradyne, 1995) and its extensions V4-2007 and Memory:2010.1,
which add records, announced by VUR, and change none that a map needs. A record is a header
(REC_LEN u2, REC_TYP u1, REC_SUB u1) and a body; everything between the few records of interest is
passed over by its length. Memory is bounded by the parts, not by the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.errors import FormatError
from waferscope.io.archive import Blob

FAR: Final = (0, 10)
VUR: Final = (0, 30)
MIR: Final = (1, 10)
MRR: Final = (1, 20)
HBR: Final = (1, 40)
SBR: Final = (1, 50)
WIR: Final = (2, 10)
WRR: Final = (2, 20)
WCR: Final = (2, 30)
PIR: Final = (5, 10)
PRR: Final = (5, 20)

# Records kept, and the body lengths they can have: the shortest that is of use, the longest legal.
_BODY: Final[dict[tuple[int, int], tuple[int, int]]] = {
    FAR: (2, 2),
    VUR: (1, 1 + 256 * 256),
    MIR: (15, 15 + 31 * 256),
    MRR: (4, 7 + 2 * 256),
    HBR: (8, 9 + 256),
    SBR: (8, 9 + 256),
    WIR: (2, 6 + 256),
    WRR: (2, 26 + 6 * 256),
    WCR: (0, 20),
    PRR: (7, 17 + 3 * 256),
}
# Passed over: the rest of V4; what V4-2007 adds (1, 90 to 94 and 15, 30: PSR, NMR, CNR, SSR,
# CDR, STR); what Memory:2010.1 does (1, 95 to 102 and 15, 40: ASR, FSR, BSR, MSR, MCR, IDR, MMR,
# MTR); Teradyne's reserved IMAGE and IG900 types.
_PASSED: Final = (
    (0, 20),
    *((1, sub) for sub in (30, 60, 62, 63, 70, 80, *range(90, 98), *range(99, 103))),
    (5, 10),
    (10, 30),
    *((15, sub) for sub in (10, 15, 20, 30, 40)),
    *((20, sub) for sub in (10, 20)),
    *((50, sub) for sub in (10, 30)),
    *((kind, sub) for kind in (180, 181) for sub in range(256)),
)
_UNKNOWN, _PASS_OVER, _EVENT, _PART = range(4)


def _build_codes() -> npt.NDArray[np.uint8]:
    codes = np.zeros((256, 256), np.uint8)
    for kinds, code in ((_PASSED, _PASS_OVER), (_BODY, _EVENT), ((PRR,), _PART)):
        for kind in kinds:
            codes[kind] = code
    return codes


_CODES: Final = _build_codes()
"""What to do with a record by its type and subtype."""
_PART_BYTES: Final = 13
_LONGEST_PART: Final = 17 + 3 * 256
MISSING_XY: Final = -32768
"""What X_COORD and Y_COORD hold when a part has no place on the wafer."""
MAX_PARTS: Final = 5_000_000
"""Part results in one file: beyond any lot of wafers, within a few hundred MB of memory."""

Parts = npt.NDArray[np.void]


def part_dtype(endian: str) -> np.dtype[np.void]:
    """Return the fixed head of a PRR body: 13 bytes, without padding."""
    fields = [("head", "u1"), ("site", "u1"), ("flag", "u1"), ("tests", f"{endian}u2")]
    fields += [(name, f"{endian}u2") for name in ("hard", "soft")]
    return np.dtype(fields + [(name, f"{endian}i2") for name in ("x", "y")])


@dataclass(slots=True)
class Scan:
    """What a file holds: events in order (kind, parts before it, body), and blocks of parts.

    ``ids`` are the PART_ID bytes of the parts. ``damage`` says where and why reading ended before
    the end of the file ("" for a whole file); ``strange`` counts records no standard knows.
    """

    endian: str
    events: list[tuple[tuple[int, int], int, bytes]] = field(default_factory=list)
    blocks: list[Parts] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    damage: str = ""
    strange: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def parts(self) -> Parts:
        """The fixed head of each PRR, in file order."""
        return np.concatenate([np.zeros(0, part_dtype(self.endian)), *self.blocks])


def scan_records(blob: Blob) -> Scan:
    """Read the records a map needs; stop, saying so in ``damage``, where the file breaks.

    Raises FormatError when it is not STDF V4 in a byte order that is read, or holds too many parts.
    """
    walker = _Walker(Scan(_endian(blob)))
    chunks, rest, position, base = blob.chunks(), b"", 0, 0
    while not walker.done:
        chunk = next(chunks, b"")
        buffer = rest + chunk
        position = walker.walk(buffer, position, final=not chunk)
        walker.pack_parts()
        if walker.scan.damage or not chunk:
            walker.finish(position == len(buffer), base + min(position, len(buffer)))
            break
        used = min(position, len(buffer))
        rest, position, base = buffer[used:], position - used, base + used
    scan = walker.scan
    if blob.cut_short:
        scan.damage = f"the packed data is damaged: {blob.cut_short}"
    return scan


def follow_headers(buffer: bytes, position: int, endian: str) -> tuple[npt.NDArray[np.intp], int]:
    """Return where the headers that lie whole in the buffer start, and where the next one would.

    Where a header leads is computed for every byte at once; then a step from one record to the
    next is a look into an array, which halves the time that a file takes.

    >>> places, after = follow_headers(bytes([1, 0, 5, 20, 9, 2, 0, 5, 20]), 0, "<")
    >>> places.tolist(), after
    ([0, 5], 11)
    """
    last, found = len(buffer) - 4, list[int]()
    if position <= last:
        sizes = np.ndarray(last + 1, f"{endian}u2", buffer, strides=(1,))
        leads = memoryview(np.arange(4, last + 5, dtype=np.int32) + sizes)
        while position <= last:
            found.append(position)
            position = leads[position]
    return np.array(found, np.intp), position


class _Walker:
    """Steps from header to header, keeping the bodies of interest."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.done = False
        self._bodies: list[bytes] = []
        self._count = 0
        self._size = struct.Struct(f"{scan.endian}H")
        self._no_result = struct.pack(f"{scan.endian}7xHhh", 0xFFFF, MISSING_XY, MISSING_XY)

    def walk(self, buffer: bytes, position: int, *, final: bool) -> int:
        """Walk over the records that lie whole in the buffer; return where the next one starts.

        That can be past the end: a record that is passed over need not have been read.
        """
        places, position = follow_headers(buffer, position, self.scan.endian)
        octets = np.frombuffer(buffer, np.uint8)
        codes = _CODES[octets[places + 2], octets[places + 3]]
        wanted = np.flatnonzero(codes != _PASS_OVER)
        size_at, add_part, end = self._size.unpack_from, self._bodies.append, len(buffer)
        for place, code in zip(places[wanted].tolist(), codes[wanted].tolist(), strict=True):
            (size,) = size_at(buffer, place)
            after = place + 4 + size
            if after > end or (code == _UNKNOWN and after + 4 > end and not final):
                return int(place)
            if code == _PART and 13 <= size <= _LONGEST_PART:
                add_part(buffer[place + 4 : after])
            elif not self._take(buffer, place, after):
                return int(place)
        return position

    def pack_parts(self) -> None:
        """Turn the part bodies met so far into rows of ``parts``."""
        bodies, self._bodies = self._bodies, []
        self._count += len(bodies)
        if self._count > MAX_PARTS:
            raise FormatError(
                f"Expected at most {MAX_PARTS:,} part results in one STDF file, got more. "
                "Split the file by wafer."
            )
        heads = b"".join([body[:_PART_BYTES] for body in bodies])
        self.scan.blocks.append(np.frombuffer(heads, part_dtype(self.scan.endian)))
        self.scan.ids += [body[18 : 18 + body[17]] if len(body) > 17 else b"" for body in bodies]

    def finish(self, whole: bool, offset: int) -> None:
        """Note where and how the file ended too early, if it did."""
        kinds = [kind for kind, _, _ in self.scan.events]
        if self.scan.damage:
            self.scan.damage = f"{self.scan.damage} at byte {offset:,}"
        elif not whole:
            self.scan.damage = f"the file ends inside the record at byte {offset:,}"
        elif MRR not in kinds:
            self.scan.damage = "the file ends without its last record (MRR)"

    def _take(self, buffer: bytes, position: int, after: int) -> bool:
        """Keep one record that is not a plain part; False stops the walk there."""
        size, first, second = struct.unpack_from(f"{self.scan.endian}HBB", buffer, position)
        kind = first, second
        if kind not in _BODY:
            return self._pass_unknown(kind, buffer, after)
        shortest, longest = _BODY[kind]
        if not shortest <= size <= longest:
            self.scan.damage = f"a record {kind} of {size} bytes, which cannot be,"
            return False
        body = buffer[position + 4 : after]
        if kind == PRR:
            self._bodies.append(body + self._no_result[size:])
        else:
            before = self._count + len(self._bodies)
            self.scan.events.append((kind, before, body))
        return True

    def _pass_unknown(self, kind: tuple[int, int], buffer: bytes, after: int) -> bool:
        """Pass over a maker's own record when a sound one follows; else the place is lost."""
        if self.scan.events and self.scan.events[-1][0] == MRR:
            self.done = True  # padding after the last record
            return False
        follows = bytes(buffer[after + 2 : after + 4])
        if len(buffer) > after and follows != bytes(kind):
            known = len(follows) == 2 and (tuple(follows) in _BODY or tuple(follows) in _PASSED)
            if not known:
                self.scan.damage = f"a record of unknown kind {kind}"
                return False
        self.scan.strange[kind] = self.scan.strange.get(kind, 0) + 1
        return True


def _endian(blob: Blob) -> str:
    """Return the byte order that the FAR record, first in every file, is written in."""
    head = blob.head[:6]
    if len(head) < 6 or head[2:4] != bytes(FAR) or head[:2] not in (b"\2\0", b"\0\2"):
        raise FormatError(
            f"Expected STDF, which starts with a FAR record, got {blob.name} starting with "
            f"{head.hex(' ') or 'nothing'}. Check that it is an STDF file."
        )
    if head[4] == 0:
        raise FormatError(
            f"Expected STDF of CPU type 1 or 2, got {blob.name} of type 0 (VAX). "
            "Convert it to big or little endian IEEE first."
        )
    if head[5] != 4:
        raise FormatError(
            f"Expected STDF version 4, got {blob.name} of version {head[5]}. Convert it to V4."
        )
    return "<" if head[:2] == b"\2\0" else ">"


class Fields:
    """The fields of one record body in order; a field past its end has its missing value.

    STDF V4 allows a record to leave out the last fields that have nothing to say.
    """

    def __init__(self, body: bytes, endian: str) -> None:
        self._body, self._endian, self._at = body, endian, 0

    def number(self, code: str, missing: float = 0) -> Any:
        """Return the next number of a `struct` code (B, H, I, h, f)."""
        layout = self._endian + code
        at, self._at = self._at, self._at + struct.calcsize(layout)
        if self._at > len(self._body):
            return missing
        return struct.unpack_from(layout, self._body, at)[0]

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        self._at += count

    def char(self) -> str:
        """Return the next C*1 field, blank when missing."""
        self._at += 1
        return _text(self._body[self._at - 1 : self._at]) or " "

    def text(self) -> str:
        """Return the next C*n field (length byte, then characters) without outer blanks."""
        start = self._at + 1
        length = self._body[self._at] if self._at < len(self._body) else 0
        self._at = start + length
        return _text(self._body[start : self._at])


def _text(raw: bytes) -> str:
    """Decode a field: ASCII by the standard, UTF-8 or Latin-1 by habit; printable signs only."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return "".join(c for c in text if c.isprintable()).strip()
