"""STDF V4 files written field by field after the standard's tables, for the tests of the reader."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tests.io.one_wafer import one
from waferscope.domain.wafermap import WaferMap

LITTLE, BIG = "<", ">"


def record(endian: str, kind: tuple[int, int], body: bytes = b"") -> bytes:
    return struct.pack(f"{endian}HBB", len(body), *kind) + body


def text(value: str) -> bytes:
    raw = value.encode()
    return bytes([len(raw)]) + raw


def far(endian: str = LITTLE, cpu: int | None = None, version: int = 4) -> bytes:
    kind = cpu if cpu is not None else 2 if endian == LITTLE else 1
    return record(endian, (0, 10), bytes([kind, version]))


def mir(endian: str = LITTLE, names: Iterable[str] = ("LOT", "PART", "NODE")) -> bytes:
    body = struct.pack(f"{endian}IIBcccHc", 1, 2, 1, b"P", b" ", b" ", 0xFFFF, b" ")
    return record(endian, (1, 10), body + b"".join(text(name) for name in names))


def wcr(
    endian: str = LITTLE,
    *,
    sizes: tuple[float, float, float] = (0, 0, 0),
    units: int = 0,
    flat: str = "D",
    axes: str = "RU",
    centre: tuple[int, int] = (-32768, -32768),
) -> bytes:
    body = struct.pack(f"{endian}fffB", *sizes, units) + flat.encode()
    return record(endian, (2, 30), body + struct.pack(f"{endian}hh", *centre) + axes.encode())


def wir(endian: str = LITTLE, name: str = "W1", head: int = 1, start: int = 0) -> bytes:
    return record(endian, (2, 10), struct.pack(f"{endian}BBI", head, 255, start) + text(name))


def wrr(endian: str = LITTLE, name: str = "W1", head: int = 1) -> bytes:
    body = struct.pack(f"{endian}BBI5I", head, 255, 0, 0, 0, 0, 0, 0)
    return record(endian, (2, 20), body + text(name))


def prr(
    x: int,
    y: int,
    *,
    endian: str = LITTLE,
    flag: int = 0,
    hard: int = 1,
    soft: int = 1,
    head: int = 1,
    name: str | None = None,
) -> bytes:
    body = struct.pack(f"{endian}BBBHHHhh", head, 0, flag, 3, hard, soft, x, y)
    if name is not None:
        body += struct.pack(f"{endian}I", 5) + text(name)
    return record(endian, (5, 20), body)


def bin_record(number: int, verdict: str, name: str, *, soft: bool = False) -> bytes:
    body = struct.pack("<BBHI", 255, 0, number, 9) + verdict.encode() + text(name)
    return record(LITTLE, (1, 50 if soft else 40), body)


def mrr(endian: str = LITTLE) -> bytes:
    return record(endian, (1, 20), struct.pack(f"{endian}I", 7))


def measurement(endian: str = LITTLE, size: int = 40) -> bytes:
    """A PTR, which carries a measurement and is of no interest to a map."""
    return record(endian, (15, 10), bytes(size))


def whole(*parts: bytes, endian: str = LITTLE) -> bytes:
    """A file of these records between FAR, MIR and MRR."""
    return far(endian) + mir(endian) + b"".join(parts) + mrr(endian)


def one_of(*parts: bytes, endian: str = LITTLE, **options: str) -> WaferMap:
    """The one wafer in a whole file of these records."""
    return one(whole(*parts, endian=endian), **options)
