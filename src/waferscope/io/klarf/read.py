"""KLARF, the results of defect inspection, as wafer maps: a die with a defect that counts fails.

KLA results file, versions 1.1 and 1.2 (statements, um) and 1.8 (records, nm). Die indices grow to
the right and up. Times are the tool's local clock, read as UTC.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from waferscope.domain.wafermap import Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.formats import ReadOptions
from waferscope.io.klarf.flat import parse_flat
from waferscope.io.klarf.nested import parse_nested
from waferscope.io.klarf.records import KlarfFile, Records
from waferscope.io.klarf.tokens import text
from waferscope.io.klarf.wafer import build_wafer

MAX_BYTES: Final = 32 << 20
"""Of one file: some 500,000 defects, beyond what inspection tools report."""
_BOM: Final = rb"(?:\xef\xbb\xbf)?\s*+"
_FLAT: Final = re.compile(_BOM + rb'FileVersion\s++"?(\d++)[\s.]++(\d++)', re.IGNORECASE)
_NESTED: Final = re.compile(_BOM + rb'Record\s++FileRecord\s*+("[^"\r\n]*+")?', re.IGNORECASE)
_KNOWN: Final = ("1.0", "1.1", "1.2", "1.7", "1.8")


def is_klarf(head: bytes) -> bool:
    """Tell KLARF by its first words: FileVersion with two numbers, or Record FileRecord."""
    return _FLAT.match(head) is not None or _NESTED.match(head) is not None


def read_klarf(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of a KLARF file in their order.

    ``options.klarf_classes`` are the class numbers that count (None: all), ``min_defect_um`` the
    smallest defect that does. Raises FormatError for another version, for lists that do not have
    the columns declared, for a wafer without a list of dies or defects, and with ``strict`` for a
    file that is cut short.
    """
    data = _whole(blob)
    records = parse_klarf(data, blob.name)
    damage = blob.cut_short or records.damage
    if damage and options.strict:
        raise FormatError(
            f"Expected a whole KLARF file, got {blob.name}: {damage}. "
            "Fetch it again, or read its sound part without strict."
        )
    notes = [*records.notes, *([f"cut short or damaged: {damage}"] if damage else [])]
    if damage and records.wafers and not records.wafers[-1].tables:
        lost = text((records.wafers.pop().fields.get("waferid") or [b"(no name)"])[0])
        notes.append(f"wafer {lost} left out: the file breaks off before its lists")
    file, wafers = KlarfFile(data), []
    for number, record in enumerate(records.wafers):
        wafer = build_wafer(data, records, record, options)
        extra = {
            "klarf": file,
            "wafer": number,
            "fingerprint": wafer.fingerprint,
        }
        source = Source("klarf", blob.name, blob.sha256, extra)
        wafers.append(replace(wafer, source=source, notes=(*notes, *wafer.notes)))
    if not wafers:
        raise FormatError(
            f"Expected wafers with their dies or defects in {blob.name}, got none"
            f"{'; ' + damage if damage else ''}. Check that it is a whole KLARF file."
        )
    return wafers


def parse_klarf(data: bytes, name: str = "the file") -> Records:
    """Return what a file of any version holds; raise FormatError for an unknown version."""
    flat, nested = _FLAT.match(data), _NESTED.match(data)
    if flat is not None:
        version = f"{int(flat[1][:3])}.{int(flat[2][:3])}"
    else:
        version = text(nested[1] or b"1.8") if nested is not None else "none"
    if version not in _KNOWN:
        raise FormatError(
            f"Expected KLARF 1.1, 1.2 or 1.8, got {name} of version {version[:20]!r}. "
            "Export it as one of these."
        )
    return parse_nested(data, version) if flat is None else parse_flat(data, version)


def _whole(blob: Blob) -> bytes:
    parts, size = [], 0
    for chunk in blob.chunks():
        size += len(chunk)
        if size > MAX_BYTES:
            raise FormatError(
                f"Expected a KLARF file of at most {MAX_BYTES:,} bytes, got more in {blob.name}. "
                "Split it by wafer."
            )
        parts.append(chunk)
    return b"".join(parts)
