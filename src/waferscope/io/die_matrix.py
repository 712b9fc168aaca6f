"""Matrices of dies in text: one cell or sign per die, one or more wafers in a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import MAX_SIDE, Bins, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io.formats import ReadOptions
from waferscope.io.tokens import BLANK, TokenTable, find_names, parse_token, state_of

_SIGNS: Final = re.compile(r"[0-9.\-_~* XxPpFfGgBb]+")
_INTEGER: Final = re.compile(r"\s*[+-]?\d{1,6}\s*")
_MOST_TOKENS: Final = 1 << 15
_LOOKED_AT: Final = 40
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Aligned:
    """Cells of ``width`` signs each, the first of them ``first``; blank where there is no die."""

    width: int
    first: int


Delimiter = str | Aligned | None


@dataclass(slots=True)
class _Block:
    """One wafer: token numbers per row, and the coordinates that its margins name."""

    name: str = ""
    rows: list[npt.NDArray[np.int32]] = field(default_factory=list)
    x_axis: list[int] = field(default_factory=list)
    y_axis: list[int] = field(default_factory=list)


def split_cells(line: str, delimiter: Delimiter) -> list[str]:
    """Cut a line into cells: at a delimiter, at blanks (" "), or (None) every sign is a cell.

    >>> split_cells(" 1 2", " "), split_cells(".1X", None), split_cells("  1    12", Aligned(3, 3))
    (['1', '2'], ['.', '1', 'X'], ['1', '', '12'])
    """
    if delimiter is None:
        return list(line)
    if isinstance(delimiter, Aligned):
        return _aligned_cells(line, delimiter.width, delimiter.first)
    return line.split() if delimiter == " " else line.split(delimiter)


def _aligned_cells(line: str, width: int, first: int) -> list[str]:
    """Cut a line into cells of a width; at its blanks, ten times as fast, where no cell is free."""
    words, line = line.split(), line.rstrip()
    before = (len(line) - len(line.lstrip()) - first) // width + 1
    if before + len(words) == (len(line) - 1 - first) // width + 2:
        return [""] * before + words
    ends = range(first, len(line) + width, width)
    return [line[max(0, end - width) : end].strip() for end in ends]


def find_matrix(lines: Sequence[str], delimiters: Sequence[str]) -> tuple[Delimiter] | None:
    """Return, as a tuple of one, how the lines of a matrix are cut; None when they are none."""
    body = _first_block(lines, delimiters)
    if any(_are_places(body, delimiter) for delimiter in delimiters):
        return None
    for delimiter in delimiters:
        cells = [split_cells(line, delimiter) for line in body]
        if len(cells) > 1 and _margin(cells[0], len(cells[1])):
            cells = [row[1:] for row in cells[1:]]
        if len(cells) >= 2 and _are_rows(cells, delimiter) and _all_mean(cells):
            return (delimiter,)
    if (aligned := _find_aligned(body)) is not None:
        return (aligned,)
    long = [len(line) for line in body]
    signs = all(_SIGNS.fullmatch(line) for line in body)
    if signs and len(body) >= 3 and min(long) >= 3:
        return (None,) if min(long) == max(long) or " " in "".join(body) else None
    return None


def _are_places(lines: Sequence[str], delimiter: str) -> bool:
    """Tell whether lines list x and y of dies and no result; x and y mean fail and pass else."""
    if len(lines) < 2:
        return False
    head, first = (split_cells(line, delimiter) for line in lines[:2])
    named = {cell.strip().strip('"').lower() for cell in head} == {"x", "y"}
    return named and all(_INTEGER.fullmatch(cell.strip()) for cell in first)


def _are_rows(cells: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Tell whether rows are alike in length, or lack the blank cells at their ends alone."""
    widths = {len(row) for row in cells}
    if len(widths) == 1:
        return widths != {1}
    blank = any(not cell.strip() for row in cells for cell in row)
    return delimiter != " " and blank and max(widths) > 2


def _find_aligned(lines: Sequence[str]) -> Aligned | None:
    """Return how lines are cut whose cells stand below each other, parted by a blank or more.

    The cells end, or else begin, at places that are a whole number of cells apart, and not all
    lines begin with a die.

    >>> _find_aligned(["     1 12", "  1  1  1"])
    Aligned(width=3, first=3)
    """
    words = [[word.span() for word in _WORD.finditer(line)] for line in lines]
    spans = [span for row in words for span in row]
    means = all(parse_token(token) is not None for line in lines for token in line.split())
    if not means or len({row[0] for row in words}) < 2 or max(map(len, words)) < 2:
        return None
    for side in (1, 0):
        places = [span[side] for span in spans]
        width = math.gcd(*(place - places[0] for place in places))
        if width > max(end - start for start, end in spans):
            return Aligned(width, (places[0] - 1) % width + 1)
    return None


def read_matrices(
    text: str, delimiter: Delimiter, options: ReadOptions, given: Mapping[str, Any]
) -> list[WaferMap]:
    """Return one wafer per block of rows; ``given`` are fields that hold for all of them.

    Blocks are parted by empty lines or by a line with the wafer's name. A first row and column of
    running numbers are coordinates. Raises FormatError for cells that mean nothing, rows of
    different lengths, and blocks that are too large.
    """
    table = TokenTable(_MOST_TOKENS)
    blocks = [block for block in _blocks(text, delimiter, table) if block.rows]
    meanings = table.parsed()
    unknown = [token for token, m in zip(table.tokens, meanings, strict=True) if m is None]
    if unknown:
        raise FormatError(
            f"Expected dies such as 0, 1, 2, a bin, '.', X, P or F in a matrix, got "
            f"{', '.join(repr(t[:20]) for t in unknown[:5])}. Clear these cells, or write a die "
            "list with a header."
        )
    values = np.array(meanings, dtype=np.int32)
    stem = given.get("wafer_id", "")
    if len(blocks) > 1 and stem:
        for number, block in enumerate(blocks, 1):
            block.name = block.name or f"{stem}-{number}"
    return [_wafer(block, values, options, given) for block in blocks]


def _blocks(text: str, delimiter: Delimiter, table: TokenTable) -> Iterator[_Block]:
    block = _Block()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if not line.strip(" \t\0") and not (delimiter is None and line):
            if block.rows:
                yield block
                block = _Block()
            continue
        cells = split_cells(line, delimiter)
        if (title := find_names([line])) or _is_name(line, cells, delimiter):
            if block.rows:
                yield block
                block = _Block()
            block.name = (
                title.get("wafer_id", block.name) if title else line.strip().strip('"')[:100]
            )
        elif (
            delimiter is not None
            and not block.rows
            and not block.x_axis
            and (axis := _margin(cells, len(split_cells(following, delimiter))))
        ):
            block.x_axis = axis
        else:
            _add_row(block, cells, table)
    yield block


def _add_row(block: _Block, cells: list[str], table: TokenTable) -> None:
    if block.x_axis:
        if not _INTEGER.fullmatch(cells[0]):
            raise FormatError(
                f"Expected a row number before each row of a matrix whose first line numbers the "
                f"columns, got {cells[0][:20]!r}. Number all rows, or take the numbers out."
            )
        block.y_axis.append(int(cells[0]))
        cells = cells[1:]
    numbers = table.number(cells)
    if numbers is None or len(cells) > MAX_SIDE or len(block.rows) >= MAX_SIDE:
        raise FormatError(
            f"Expected a matrix of at most {MAX_SIDE}x{MAX_SIDE} dies in which few values occur, "
            "got a larger or more varied table. Check that it is a wafer map."
        )
    block.rows.append(numbers)


def _wafer(
    block: _Block, meanings: npt.NDArray[np.int32], options: ReadOptions, given: Mapping[str, Any]
) -> WaferMap:
    width = max(len(row) for row in block.rows)
    shortest = min(len(row) for row in block.rows)
    blank = any((meanings[row] == BLANK).any() for row in block.rows)
    notes = list(given.get("notes", ()))
    values = np.full((len(block.rows), width), BLANK, np.int32)
    for place, row in zip(values, block.rows, strict=True):
        place[: len(row)] = meanings[row]
    if shortest != width:
        notes.append(f"rows of {shortest} to {width} cells filled up on the right")
    elif width > 1 and (values[:, -1] == BLANK).all() and (values[:, :-1] != BLANK).all():
        values, blank = values[:, :-1], False  # each row ends with a delimiter
    if blank:
        if (values == 0).any():
            notes.append("blank cells taken as no die, 0 as a bin")
    else:
        values[values == 0] = BLANK
        notes.append("0 taken as no die")
    bins = np.maximum(values, 0).astype(np.uint16)
    if bins.any():
        passing = ", ".join(str(number) for number in options.pass_bins)
        notes.append(f"bin {passing} taken as pass, other numbers as fail")
    named = {"wafer_id": block.name} if block.name else {}
    return WaferMap(
        state_of(values, options.pass_bins),
        bins=Bins(hard=bins) if bins.max() > 2 else None,
        **{**given, **named, "frame": _frame(block, notes), "notes": tuple(notes)},
    )


def _frame(block: _Block, notes: list[str]) -> Frame:
    if not block.x_axis:
        return Frame()
    dy = block.y_axis[1] - block.y_axis[0] if len(block.y_axis) > 1 else 1
    if not _runs(block.y_axis) or abs(dy) != 1:
        notes.append("row numbers do not run by one: left out")
        return Frame()
    return Frame(block.x_axis[0], block.y_axis[0], block.x_axis[1] - block.x_axis[0], dy)


def _margin(cells: Sequence[str], below: int) -> list[int]:
    """Return the numbers of a first line that numbers the columns, else none: 3, 4, 5 ...

    Its corner is no number; parted by blanks it has none, and the row below one cell more. The
    row below may lack the blank cells at its end.
    """
    corner = len(cells) >= below
    numbers = cells[1:] if corner else cells
    if len(numbers) < 3 or not (corner or len(numbers) == below - 1):
        return []
    if corner and _INTEGER.fullmatch(cells[0]):
        return []
    found = [int(n) for n in numbers if _INTEGER.fullmatch(n)]
    return found if len(found) == len(numbers) and _runs(found) else []


def _is_name(line: str, cells: Sequence[str], delimiter: Delimiter) -> bool:
    """Tell a line with a wafer's name from a row of dies."""
    if isinstance(delimiter, Aligned):
        return any(parse_token(word) is None for word in set(line.split()))
    return len(cells) == 1 or (delimiter is None and not _SIGNS.fullmatch(line))


def _runs(numbers: Sequence[int]) -> bool:
    steps = {after - before for before, after in pairwise(numbers)}
    return steps in ({1}, {-1}, set())


def _first_block(lines: Sequence[str], delimiters: Sequence[str]) -> list[str]:
    """Return the first lines that stand together, without comments and titles."""
    block: list[str] = []
    for line in lines[: 2 * _LOOKED_AT]:
        if line.startswith("#"):
            continue
        if not line.strip() or _is_title(line, delimiters):
            if block:
                break
        else:
            block.append(line)
    return block[:_LOOKED_AT]


def _is_title(line: str, delimiters: Sequence[str]) -> bool:
    cut = any(d in line.strip() for d in delimiters if d != " ")
    return parse_token(line) is None and not _SIGNS.fullmatch(line) and not cut


def _all_mean(cells: Sequence[Sequence[str]]) -> bool:
    return all(parse_token(cell) is not None for row in cells for cell in row)
