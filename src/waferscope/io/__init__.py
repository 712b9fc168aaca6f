"""Outside formats and domain values: two plain tables, and the few functions that use them.

A new format is one file in this folder and one row in READERS or WRITERS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError, WaferError
from waferscope.io.archive import Blob, open_blobs
from waferscope.io.columnar import is_npz, is_parquet, read_npz, read_parquet
from waferscope.io.formats import Reader, ReadOptions, Retests
from waferscope.io.stdf import is_stdf, read_stdf

READERS: Final[dict[str, Reader]] = {
    row.name: row
    for row in (
        Reader("stdf", "STDF V4 test results", (".stdf", ".std"), is_stdf, read_stdf),
        Reader("parquet", "Parquet table of wafers", (".parquet",), is_parquet, read_parquet),
        Reader("npz", "NumPy arrays of wafers", (".npz",), is_npz, read_npz),
    )
}


def sniff(head: bytes) -> str | None:
    """Return the name of the format that these first bytes belong to, or None.

    >>> sniff(bytes([2, 0, 0, 10, 2, 4]))
    'stdf'
    """
    return next((name for name, row in READERS.items() if row.sniff(head)), None)


def read(
    source: str | os.PathLike[str] | bytes,
    format: str | None = None,
    *,
    retests: Retests = "last",
    strict: bool = False,
    columns: Mapping[str, str] | None = None,
    pass_bins: tuple[int, ...] = (1,),
) -> list[WaferMap]:
    """Return the wafers in a file, packed (gz, bz2, xz, zip) or plain; see `ReadOptions`.

    ``source`` is a path or the file's bytes. ``format`` is a name in READERS; without it the
    content tells. What was guessed, dropped or found damaged is in each wafer's notes. Raises
    FormatError for anything that cannot be read.
    """
    if format is not None and format not in READERS:
        raise FormatError(
            f"Expected one of the formats {', '.join(READERS)}, got {format!r}. "
            "Leave the format out to let the content tell."
        )
    options = ReadOptions(retests, strict, columns or {}, pass_bins)
    wafers: list[WaferMap] = []
    unknown: list[Blob] = []
    for blob in open_blobs(source, lambda head: sniff(head) is not None):
        name = format or sniff(blob.head)
        if name is None:
            unknown.append(blob)
        else:
            wafers += _read_blob(blob, READERS[name], options)
    if unknown and (strict or not wafers):
        raise _unknown(unknown[0])
    if not wafers:
        raise FormatError("Expected at least one wafer, got an empty file. Check what wrote it.")
    if unknown:
        note = f"files of no known format left out: {', '.join(b.name for b in unknown[:10])}"
        wafers = [replace(wafer, notes=(*wafer.notes, note)) for wafer in wafers]
    return wafers


def _read_blob(blob: Blob, reader: Reader, options: ReadOptions) -> list[WaferMap]:
    """Read one blob; a map that the domain refuses is the file's fault."""
    try:
        return reader.read(blob, options)
    except WaferError as error:
        raise FormatError(
            f"Expected wafers in {blob.name} ({reader.name}), got one that cannot be. {error}"
        ) from error


def _unknown(blob: Blob) -> FormatError:
    start = blob.head[:16]
    got = f"{blob.name} starting with {start!r}" if start else f"{blob.name}, which is empty"
    return FormatError(
        f"Expected one of the formats {', '.join(READERS)}, got {got}. "
        "Name its format, or convert it to one of these."
    )
