"""Excel workbooks (.xlsx): die lists and matrices, sheet by sheet, by the code that reads CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Final

from waferscope.domain.wafermap import Source, WaferMap
from waferscope.errors import FormatError, WaferError
from waferscope.io.archive import NAMELESS, Blob
from waferscope.io.die_list import find_list, read_die_list
from waferscope.io.die_matrix import find_matrix, read_matrices
from waferscope.io.formats import ReadOptions
from waferscope.io.table import LARGEST
from waferscope.io.tokens import find_names, parse_token
from waferscope.io.xlsx_book import Sheet, is_old, is_workbook, open_book

_LINES: Final = 200
_TAB: Final = ("\t",)

__all__ = ["is_workbook", "read_xlsx"]


def read_xlsx(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of all visible sheets of a workbook.

    A sheet is a die list or matrices, as in CSV. Formulas are never evaluated: the value saved
    beside one is read. Wafers without a name get the sheet's where several sheets have wafers,
    else the file's. Sheets that are neither are named in the notes. Raises FormatError when none
    is, or for a damaged file.
    """
    if is_old(blob.head):
        raise FormatError(
            f"Expected an .xlsx workbook without a password, got {blob.name}, which is an old .xls "
            "or is encrypted. Save it as .xlsx without a password."
        )
    stem = "" if blob.name == NAMELESS else PurePath(blob.name.rpartition(":")[2]).stem
    source = Source("xlsx", blob.name, blob.sha256)
    book = open_book(blob)
    read: list[tuple[str, list[WaferMap]]] = []
    refused: list[tuple[str, str]] = []
    for sheet in book.sheets():
        try:
            read.append((sheet.name, _read_sheet(sheet, options)))
        except (FormatError, WaferError) as error:
            refused.append((sheet.name, str(error)))
    if not read or (refused and options.strict):
        got = refused[0] if refused else ("", "no visible sheet with cells")
        raise FormatError(
            f"Expected a sheet with a die list or a matrix of dies in {blob.name}, got "
            f"{got[0][:40]!r}: {got[1]}"
        )
    left_out = [name for name, _ in refused] + [f"{name} (hidden)" for name in book.hidden]
    notes = (f"sheets left out: {', '.join(left_out[:10])}",) if left_out else ()
    several = len(read) > 1
    return [
        replace(
            wafer,
            wafer_id=_name(wafer.wafer_id, sheet if several or not stem else stem),
            source=source,
            notes=(*wafer.notes, *notes),
        )
        for sheet, wafers in read
        for wafer in wafers
    ]


def _name(own: str, given: str) -> str:
    """Return a wafer's own name, or the given one; the numbers of blocks stand behind it."""
    return own if not own.startswith(_UNNAMED) else given + own.removeprefix(_UNNAMED)


_UNNAMED: Final = "\0"
"""Name of a wafer without one, until it is known how many sheets have wafers."""


def _read_sheet(sheet: Sheet, options: ReadOptions) -> list[WaferMap]:
    lines = _squared(sheet.lines)
    plan = find_list(lines[:_LINES], options.columns, _TAB)
    before = lines[: plan.first - 1] if plan else _heading(lines)
    body = lines[len(before) :] if plan is None else lines
    matrix = None if plan or options.columns else find_matrix(body[:_LINES], _TAB)
    if plan is None and matrix is None:
        first = next((line.replace("\t", " ") for line in lines if line.strip()), "nothing")
        raise FormatError(f"rows such as {first[:60]!r}. Add a header, or name the columns.")
    given: dict[str, Any] = {"wafer_id": _UNNAMED, **find_names(before)}
    kind = "die list" if plan else "matrix"
    given["notes"] = (f"sheet {sheet.name!r} read as a {kind}", *_formula_notes(sheet))
    text = "\n".join(lines if plan else body)
    if len(text) > LARGEST:
        raise FormatError(f"more than {LARGEST:,} letters in a sheet. Split it, or write Parquet.")
    if plan is not None:
        return read_die_list(text.encode(), plan, "utf-8", options, given)
    (delimiter,) = matrix or (None,)
    return read_matrices(text, delimiter, options, given)


def _squared(lines: Sequence[str]) -> list[str]:
    """Return the lines cut to the columns that are used, all with as many cells.

    A line of a single word, such as a title or a wafer's name, stands alone.
    """
    used = [line for line in lines if line.strip("\t")]
    if not used:
        return []
    left = min(len(line) - len(line.lstrip("\t")) for line in used)
    width = max(line.count("\t") for line in used) - left
    if len(used) * width > LARGEST:
        raise FormatError(f"{len(used):,} rows of {width + 1:,} cells, far apart. Export as CSV.")
    squared = []
    for line in lines:
        alone = line.strip("\t")
        if "\t" not in alone and (not alone or parse_token(alone) is None):
            squared.append(alone)
        else:
            squared.append(line[left:] + "\t" * (width - line.count("\t") + left))
    return squared


def _heading(lines: Sequence[str]) -> list[str]:
    """Return the lines at the top that name a lot or a wafer, and free ones among them."""
    count = 0
    for number, line in enumerate(lines[:_LINES], 1):
        if line.strip() and not find_names([line]):
            break
        count = number if line.strip() else count
    return list(lines[:count])


def _formula_notes(sheet: Sheet) -> list[str]:
    notes = []
    if sheet.formulas:
        notes.append(f"{sheet.formulas:,} formulas: the values saved with them are read")
    if sheet.empty:
        notes.append(f"{sheet.empty:,} formulas without a saved value, or errors: taken as empty")
    return notes
