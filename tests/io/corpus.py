"""Small valid files of every format that is read, and ways to break them.

Formats join by themselves: the files of a reader come from the writer of its name. `OTHERS` builds
those that nothing here writes, or writes in one way only.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.io.klarf.klarf_text import Part, Spot, flat, nested
from tests.io.lswmd.pickles import LAYOUTS, frame_bytes
from tests.io.pictures import disc, draw, file_of, resize
from tests.io.stdf_file import BIG, far, mir, mrr, prr, record, text, wcr, wir, wrr
from waferscope.domain.wafermap import Bins, Frame, Reticle, WaferMap
from waferscope.io import WRITERS
from waferscope.io.formats import WriteOptions

NUMBERS: Final = (b"-1", b"0", b"nan", b"inf", b"1e999", b"99999999999999999999", b"4294967295")
WORDS: Final = (b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"<!ENTITY a 'a'>&a;", b"../" * 9, b'"')
_DIGITS: Final = np.frombuffer(b"0123456789", np.uint8)


def wafers() -> list[WaferMap]:
    """Two small wafers: a plain one, and one with every field."""
    dies = np.array([[0, 1, 2, 1], [1, 2, 2, 1], [1, 1, 1, 0]], dtype=np.uint8)
    plain = WaferMap(dies, wafer_id="W1", lot_id="L1")
    bins = Bins(dies.astype(np.uint16), dies.astype(np.uint16) * 3, {1: "good"}, {6: "leak"})
    full = replace(
        plain,
        wafer_id="W2",
        slot=2,
        product="chip",
        step="CP",
        tester="T",
        tested_at=datetime(2026, 1, 2, tzinfo=UTC),
        die_width_mm=2.0,
        die_height_mm=3.0,
        diameter_mm=200.0,
        frame=Frame(-3, 4, 1, -1),
        reticle=Reticle(2, 2),
        bins=bins,
        patterns=("Loc",),
    )
    return [plain, full]


def _written(name: str) -> Iterator[bytes]:
    writer = WRITERS.get((name, "wafers"))
    for wafer in wafers() if writer else ():
        row = writer.row_of(wafer, WriteOptions())  # type: ignore[union-attr]
        yield row if writer.join is None else writer.join([row])  # type: ignore[union-attr]


def _pickled() -> Iterator[bytes]:
    maps = [wafer.dies for wafer in wafers()]
    for layout, protocol in zip(LAYOUTS, (2, 3, 4, 5), strict=True):
        yield frame_bytes(maps, ["Loc", None], ["Training", None], layout, protocol)


def _mixed() -> Iterator[bytes]:
    for save in (np.savez, np.savez_compressed):
        sink = io.BytesIO()
        save(sink, np.stack([w.dies for w in wafers()]), np.eye(2, 8, dtype=int))
        yield sink.getvalue()


def _texts() -> Iterator[bytes]:
    yield from _written("csv")
    yield b"0,1,2\n1,2,1\n0,1,0\n"
    yield b"..1X1..\n.111X1.\n1111111\n..1X1..\n"
    yield "Lot: A\nx\ty\tbin\n1\t2\t3\n-4\t5\t1\n".encode("utf-16")


def _pictures() -> Iterator[bytes]:
    image = draw(disc(15, 13), cell=(4, 4), margin=2, line=(1, (128, 128, 128)))
    for kind in ("PNG", "TIFF"):
        yield file_of(image, kind)
    yield file_of(resize(draw(disc(9, 11)), (66, 54), Image.Resampling.BILINEAR), "PNG")


def _test_results() -> Iterator[bytes]:
    yield from _written("stdf")
    version = record(BIG, (0, 30), text("V4-2007"))
    pattern, scan = record(BIG, (1, 90), b"\1" * 9), record(BIG, (15, 30), b"\2" * 30)
    parts = [prr(x, y, endian=BIG, name=f"{x}") for x in range(3) for y in range(2)]
    wafer = b"".join((wir(BIG), *parts, scan, prr(0, 0, endian=BIG, flag=1, name="0"), wrr(BIG)))
    yield b"".join((far(BIG), version, mir(BIG), wcr(BIG), pattern, wafer, wafer, mrr(BIG)))


def _inspections() -> Iterator[bytes]:
    yield from _written("klarf")
    parts = [Part("W1", [Spot(0, 0)], [(0, 0), (1, 0), (0, 1)]), Part("W2", [Spot(1, 0)])]
    yield nested(parts)
    yield flat(parts)


def _workbook() -> Iterator[bytes]:
    rows = (("x", "y", "bin"), (1, 2, 1), (2, 2, 7), (1, 3, 1))
    texts = "".join(f"<si><t>{name}</t></si>" for name in rows[0])
    lines = "".join(
        f"<row>{''.join(f'<c><v>{value}</v></c>' for value in row)}</row>" for row in rows[1:]
    )
    head = "".join(f'<c t="s"><v>{n}</v></c>' for n in range(3))
    link = '<Relationship Id="{}" Type="t/{}" Target="{}.xml"/>'
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": '<workbook xmlns:r="r"><sheets>'
        '<sheet name="S" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        + link.format("a", "worksheet", "s")
        + link.format("b", "sharedStrings", "t")
        + "</Relationships>",
        "xl/s.xml": f"<worksheet><sheetData><row>{head}</row>{lines}</sheetData></worksheet>",
        "xl/t.xml": f"<sst>{texts}</sst>",
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    yield sink.getvalue()


OTHERS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "stdf": _test_results,
    "klarf": _inspections,
    "lswmd": _pickled,
    "mixedwm38": _mixed,
    "csv": _texts,
    "png": _pictures,
    "xlsx": _workbook,
}


def files(name: str) -> list[bytes]:
    """Return valid files of a reader, the first ones packed as well."""
    found = list(OTHERS[name]() if name in OTHERS else _written(name))
    if not found:
        return []
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"lot/w.{name}", found[0])
    return [*found, gzip.compress(found[0], mtime=0), sink.getvalue()]


def broken(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Return the file with one to four things wrong with it."""
    for _ in range(int(rng.integers(1, 5))):
        data = _BREAKS[int(rng.integers(len(_BREAKS)))](rng, data or b"\0", other)
    return data


def _at(rng: np.random.Generator, data: bytes) -> int:
    return int(rng.integers(len(data) + 1))


def _splice(rng: np.random.Generator, data: bytes, piece: bytes, over: int) -> bytes:
    at = _at(rng, data)
    return data[:at] + piece + data[at + over :]


def _cut(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    return data[: _at(rng, data)]


def _flip(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    return _splice(rng, data, bytes([int(rng.choice((0, 1, 127, 128, 254, 255)))]), 1)


def _noise(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    return _splice(rng, data, rng.bytes(int(rng.integers(1, 9))), int(rng.integers(9)))


def _drop(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    return _splice(rng, data, b"", int(rng.integers(1, 40)))


def _repeat(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    at = _at(rng, data)
    return _splice(rng, data, data[at : at + 60] * int(rng.integers(1, 50)), 0)


def _word(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    return _splice(rng, data, WORDS[int(rng.integers(len(WORDS)))], int(rng.integers(5)))


def _graft(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    at = _at(rng, other)
    return _splice(rng, data, other[at : at + 200], int(rng.integers(200)))


def _number(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Put an extreme in the place of a number written as text, where there is one."""
    digits = np.flatnonzero(np.isin(np.frombuffer(data, np.uint8), _DIGITS))
    if not digits.size:
        return _flip(rng, data, other)
    start = end = int(rng.choice(digits))
    while end < len(data) and data[end : end + 1].isdigit():
        end += 1
    return data[:start] + NUMBERS[int(rng.integers(len(NUMBERS)))] + data[end:]


_BREAKS: Final[tuple[Callable[[np.random.Generator, bytes, bytes], bytes], ...]] = (
    _cut,
    _flip,
    _flip,
    _noise,
    _drop,
    _repeat,
    _word,
    _graft,
    _number,
    _number,
)


def attempt(data: bytes, name: str | None) -> str | None:
    """Read a file; return what came out of it that should not, or None."""
    from waferscope.errors import FormatError
    from waferscope.io import read

    try:
        read(data, name)
    except FormatError:
        return None
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return None


def describe(data: bytes, name: str | None, what: str) -> dict[str, Any]:
    """Return a failure as plain values; the file in hex, so that it can be tried again."""
    return {"format": name, "what": what, "bytes": len(data), "hex": data[:4096].hex()}
