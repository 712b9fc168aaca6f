"""CSV, TSV and plain text tables: die lists and matrices in, die lists out.

What stands in the text is found out, not asked for: encoding, delimiter, header, the role of each
column, which bins pass. Every guess is in the notes of the wafers.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import PASS, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import HEAD_BYTES, NAMELESS, Blob
from waferscope.io.die_list import find_list, read_die_list
from waferscope.io.die_matrix import Aligned, Delimiter, find_matrix, read_matrices
from waferscope.io.formats import ReadOptions
from waferscope.io.results import csv_bytes, safe_text
from waferscope.io.tokens import find_names

LARGEST: Final = 96 << 20
"""Bytes of one text table; a lot of 25 wafers of 100,000 dies has about 75 million."""
DELIMITERS: Final = (",", ";", "\t", "|", " ")
_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_LINES: Final = 200
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_COLUMNS: Final = ("lot_id", "wafer_id", "row", "col", "x", "y", "pass", "hard_bin", "soft_bin")


def is_table(head: bytes) -> bool:
    """Tell a die list or a matrix by its first lines."""
    encoding = _encoding_of(head)
    if encoding is None:
        return False
    lines = _first_lines(head, encoding)
    return bool(find_list(lines, {}, DELIMITERS) or find_matrix(lines, DELIMITERS))


def read_table(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of a die list (one row per die, of one or many wafers) or of matrices.

    A die list has columns x and y (or col and row) and bin or pass, and may have wafer and lot. A
    matrix has one cell per die: 0 no die, 1 pass, 2 fail; or bins; or signs such as . 1 X.
    Raises FormatError when it is neither.
    """
    encoding = _encoding_of(blob.head)
    if encoding is None:
        raise _neither(blob, "bytes that are not text", options)
    lines = _first_lines(blob.head, encoding)
    plan = find_list(lines, options.columns, DELIMITERS)
    matrix = None if plan or options.columns else find_matrix(lines, DELIMITERS)
    if plan is None and matrix is None:
        first = next((line for line in lines if line.strip()), "")
        raise _neither(blob, f"lines such as {first[:80]!r}", options)
    data = blob.read_all()
    if len(data) > LARGEST:
        raise FormatError(
            f"Expected a text table of at most {LARGEST:,} bytes, got {blob.name} of "
            f"{len(data):,}. Split it by wafer, or write Parquet."
        )
    given = find_names(lines[: plan.first - 1] if plan else lines)
    if blob.name != NAMELESS:
        given.setdefault("wafer_id", PurePath(blob.name.rpartition(":")[2]).stem)
    given["source"] = Source("csv", blob.name, blob.sha256)
    notes = [] if encoding.startswith("utf-8") else [f"text read as {encoding}"]
    if plan is not None:
        given["notes"] = (*notes, f"die list parted by {_NAMES[plan.delimiter]}")
        return read_die_list(data, plan, encoding, options, given)
    (delimiter,) = matrix or (None,)
    given["notes"] = (*notes, f"matrix, {_in_words(delimiter)}")
    return read_matrices(data.decode(encoding, "replace"), delimiter, options, given)


def die_rows(wafer: WaferMap) -> list[list[Any]]:
    """Return one row per tested die, in the columns of `die_list_bytes`; refuse a wafer of none."""
    if not wafer.die_count:
        raise FormatError(
            f"Expected a wafer with a tested die for a CSV die list, got {wafer.wafer_id!r} "
            "without one. Leave it out, or write Parquet, npz or JSON."
        )
    rows, cols = np.nonzero(wafer.dies)
    frame = wafer.frame
    along = (rows, cols) if frame.swapped else (cols, rows)
    x, y = frame.x0 + frame.dx * along[0], frame.y0 + frame.dy * along[1]
    passed = (wafer.dies[rows, cols] == PASS).astype(int)
    grids = [] if wafer.bins is None else [wafer.bins.hard, wafer.bins.soft]
    bins = [None if grid is None else grid[rows, cols] for grid in grids] or [None, None]
    filled = [[""] * len(rows) if values is None else values.tolist() for values in bins]
    columns = [v.tolist() for v in (rows, cols, x, y, passed)] + filled
    lot, name = wafer.lot_id or "", wafer.wafer_id
    return [[lot, name, *cells] for cells in zip(*columns, strict=True)]


def die_list_bytes(wafers: Sequence[Sequence[Sequence[Any]]]) -> bytes:
    """Return a CSV die list: lot_id, wafer_id, row, col, x, y, pass (0 or 1), hard_bin, soft_bin.

    Kept: names, dies, frame, bins. Lost: everything else, and an empty border. Raises FormatError
    for two wafers of one lot and one name, which would be read back as one.
    """
    counts = Counter(tuple(map(safe_text, rows[0][:2])) for rows in wafers if rows)
    (lot, name), count = counts.most_common(1)[0] if counts else (("", ""), 0)
    if count > 1:
        raise FormatError(
            f"Expected wafers with names of their own in each lot for a CSV die list, got {count} "
            f"named {name!r} in lot {lot!r}. Rename them, or write Parquet, npz or JSON."
        )
    return csv_bytes(_COLUMNS, [row for rows in wafers for row in rows])


def _encoding_of(head: bytes) -> str | None:
    """Return how the text is written, or None for what is not text."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif head.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    else:
        encoding = "utf-8"
    for name in (encoding, "cp1252", "latin-1"):
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        return None if not text.strip() or _CONTROL.search(text) else name
    return None


def _first_lines(head: bytes, encoding: str) -> list[str]:
    """Return the first lines, without the last one where it may be cut."""
    lines = re.split(r"\r\n|\n|\r", codecs.getincrementaldecoder(encoding)().decode(head))
    return (lines[:-1] if len(head) >= HEAD_BYTES and len(lines) > 1 else lines)[:_LINES]


def _in_words(delimiter: Delimiter) -> str:
    if isinstance(delimiter, Aligned):
        return f"cells of {delimiter.width} signs below each other"
    return "one sign per die" if delimiter is None else f"cells parted by {_NAMES[delimiter]}"


def _neither(blob: Blob, got: str, options: ReadOptions) -> FormatError:
    named = ", ".join(f"{role}={name!r}" for role, name in options.columns.items())
    asked = f" with {named}" if named else ""
    return FormatError(
        f"Expected a die list (columns x, y and bin or pass{asked}) or a matrix of dies, got "
        f"{blob.name} with {got}. Add a header, or name the columns."
    )
