"""Die lists in text: one row per die, of one wafer or of many."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import NO_DIE, Bins, WaferMap
from waferscope.errors import FormatError
from waferscope.io.die_blocks import part_list
from waferscope.io.formats import ReadOptions
from waferscope.io.results import arm
from waferscope.io.sites import (
    find_sites,
    find_strays,
    retest_notes,
    retest_order,
    solve_frame,
    stray_notes,
)
from waferscope.io.tokens import BAD, BLANK, GOOD, parse_token, state_of

if TYPE_CHECKING:
    import pyarrow as pa

ROLES: Final[dict[str, tuple[str, ...]]] = {
    **{
        axis: (
            *(axis, f"{axis}coord", f"{axis}coordinate", f"die{axis}", f"{axis}die"),
            *(f"{axis}index", f"{axis}pos", f"{axis}loc", f"die{axis}coord", f"die{axis}index"),
            *(f"{axis}position", f"{axis}location", f"{axis}koordinate"),
        )
        for axis in ("x", "y")
    },
    "row": ("row", "dierow", "rowindex"),
    "col": ("col", "column", "diecol", "diecolumn", "colindex"),
    "bin": (
        *("bin", "hardbin", "hbin", "hb", "bincode", "binno", "binnumber", "diebin", "hwbin"),
        *("binnum", "hardbinno", "hardbinnum", "hardbinnumber", "hbinno", "hbinnum"),
    ),
    "soft": (
        *("softbin", "sbin", "sb", "swbin"),
        *("softbinno", "softbinnum", "softbinnumber", "sbinno", "sbinnum"),
    ),
    "pass": (
        *("pass", "passed", "passfail", "pf", "result", "status", "good", "ispass", "verdict"),
        "testresult",
    ),
    "fail": ("fail", "failed", "isfail", "bad", "defective"),
    "wafer": ("wafer", "waferid", "waferno", "wafernumber", "wafername", "wafernum", "wafernr"),
    "lot": ("lot", "lotid", "lotno", "lotnumber", "lotname", "lotnum", "los", "losnr"),
}
"""What a column can be, and the headers that say so (letters and digits only), surest first."""
_HEADER_WITHIN: Final = 60
_HEADLESS_ROWS: Final = 10
_NO_PLACE: Final = -32768
"""What a die without a place has as x and y in tables made from STDF."""
_INTEGER: Final = r"^[+-]?[0-9]{1,6}([.,]0*)?$"
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ListPlan:
    """Where the columns of a die list are.

    ``delimiter`` is " " for runs of blanks. The dies start at line ``first``, ``width`` cells
    each; ``roles`` gives the column of each role; ``header`` is empty without one.
    """

    delimiter: str
    first: int
    width: int
    roles: Mapping[str, int]
    header: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Say which column was taken for what."""
        names = self.header or tuple(f"column {n + 1}" for n in range(self.width))
        return ", ".join(f"{role} from {names[n]!r}" for role, n in self.roles.items())

    def unread(self) -> list[str]:
        """Return a note on the columns that were taken for nothing, if there are any."""
        used = self.roles.values()
        names = [name for n, name in enumerate(self.header) if name and n not in used]
        return [f"columns not read: {', '.join(names[:20])[:400]}"] if names else []


@dataclass(slots=True)
class _Dies:
    """The rows of a die list, ``[n]`` each; ``codes`` number the wafers ``names`` (lot, wafer)."""

    places: dict[str, Ints]
    states: npt.NDArray[np.uint8]
    bins: dict[str, Ints]
    codes: npt.NDArray[np.intp]
    names: list[tuple[str, str]]


def find_list(
    lines: Sequence[str], columns: Mapping[str, str], delimiters: Sequence[str]
) -> ListPlan | None:
    """Return where the columns are, by a header or by the looks of the rows; None if by neither.

    ``columns`` names the column of a role where the caller knows better.
    """
    for delimiter in delimiters:
        for number, line in enumerate(lines[:_HEADER_WITHIN]):
            cells = cut_row(line, delimiter)
            roles = _roles(cells, columns)
            placed = {"x", "y"} <= roles.keys() or {"row", "col"} <= roles.keys()
            if placed and roles.keys() & {"pass", "fail", "bin", "soft"}:
                return ListPlan(delimiter, number + 1, len(cells), roles, tuple(cells))
    return None if columns else _headless(lines, delimiters)


def cut_row(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line, quotes taken off."""
    if delimiter == " ":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def read_die_list(
    data: bytes, plan: ListPlan, encoding: str, options: ReadOptions, given: Mapping[str, Any]
) -> list[WaferMap]:
    """Return the wafers of a die list in the order in which they appear.

    ``given`` are fields of `WaferMap` that hold for all of them. A header that comes again behind
    other names begins another wafer, unless a column names the wafers. Raises FormatError when no
    row can be used.
    """
    if plan.header and "wafer" not in plan.roles and encoding != "utf-16":
        parts = part_list(data, plan.first)
        if len(parts) > 1:
            again = replace(plan, first=1)
            return [
                wafer
                for names, part in parts
                for wafer in _read_part(part, again, encoding, options, {**given, **names})
            ]
    return _read_part(data, plan, encoding, options, given)


def _read_part(
    data: bytes, plan: ListPlan, encoding: str, options: ReadOptions, given: Mapping[str, Any]
) -> list[WaferMap]:
    """Return the wafers of one list."""
    table, lost = _table(data, plan, encoding)
    notes = [*given.get("notes", ()), plan.in_words(), *plan.unread()]
    numbers = {n: _integers(table[n]) for n in ("x", "y", "row", "col") if n in table}
    whole = np.logical_and.reduce([ok & (n != _NO_PLACE) for n, ok in numbers.values()])
    states, bins = _verdicts(table, options, notes)
    usable = whole & (states != NO_DIE)
    if not usable.any():
        raise FormatError(
            f"Expected rows with whole coordinates and a result, got {len(whole):,} rows and none "
            f"of that kind ({plan.in_words()}). Name the columns if they are others."
        )
    if lost or not whole.all():
        count = lost + int(np.count_nonzero(~whole))
        notes.append(f"{count:,} rows without whole coordinates left out")
    if (whole & ~usable).any():
        notes.append(f"{int(np.count_nonzero(whole & ~usable)):,} dies without a result left out")
    codes, names = _wafer_codes(table, len(whole))
    dies = _Dies(
        {role: values[usable] for role, (values, _) in numbers.items()},
        states[usable],
        {side: values[usable] for side, values in bins.items()},
        codes[usable],
        names,
    )
    return [_wafer(dies, rows, options, {**given, "notes": notes}) for rows in _by_wafer(dies)]


def _roles(cells: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    plain = [re.sub(r"[^a-z0-9]+", "", cell.lower()) for cell in cells]
    roles: dict[str, int] = {}
    for role, aliases in ROLES.items():
        if role in columns:
            wanted = columns[role].strip().lower()
            found = [n for n, cell in enumerate(cells) if cell.lower() == wanted]
        else:
            found = [plain.index(alias) for alias in aliases if alias in plain]
        if found:
            roles[role] = found[0]
    return roles


def _headless(lines: Sequence[str], delimiters: Sequence[str]) -> ListPlan | None:
    body = [line for line in lines if line.strip()]
    for delimiter in delimiters:
        rows = [cut_row(line, delimiter) for line in body]
        widths = {len(row) for row in rows}
        if len(widths) != 1 or not 3 <= (width := widths.pop()) <= 6:
            continue
        if not all(re.match(_INTEGER, cell) for row in rows for cell in row[:2]):
            continue
        pairs = {tuple(int(re.split("[.,]", cell)[0]) for cell in row[:2]) for row in rows}
        far = any(not 0 <= n <= 2 for pair in pairs for n in pair)
        plausible = len(rows) >= _HEADLESS_ROWS or (len(rows) >= 4 and far)
        if len(pairs) == len(rows) and plausible and parse_token(rows[0][2]) is not None:
            return ListPlan(delimiter, 0, width, {"x": 0, "y": 1, "bin": 2})
    return None


def _table(data: bytes, plan: ListPlan, encoding: str) -> tuple[dict[str, pa.Array], int]:
    """Return the text of each role's column, and how many rows had another number of cells."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if plan.delimiter == " ":
        data = data.decode(encoding, "replace").encode()
        data, encoding = re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", data), "utf-8"
        data = re.sub(rb"[ \t]+", b"\t", data)
    names, lost = [str(n) for n in range(plan.width)], [0]

    def skip(row: object) -> str:
        lost[0] += 1
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(data),
            arrow_csv.ReadOptions(
                column_names=names, skip_rows=plan.first, encoding=encoding, use_threads=False
            ),
            arrow_csv.ParseOptions(
                delimiter="\t" if plan.delimiter == " " else plan.delimiter,
                invalid_row_handler=skip,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[str(n) for n in sorted(set(plan.roles.values()))],
            ),
        )
    except (pa.ArrowException, UnicodeError) as error:
        raise FormatError(
            f"Expected a die list of {plan.width} columns, got text that cannot be cut into them "
            f"({' '.join(str(error).split())[:160]}). Check delimiter, quotes and encoding."
        ) from error
    return {role: table.column(str(n)).combine_chunks() for role, n in plan.roles.items()}, lost[0]


def _integers(column: pa.Array) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return the whole numbers of a column, and where there are some."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(column)
    good = pc.match_substring_regex(text, _INTEGER)
    plain = pc.replace_substring_regex(text, r"^\+|[.,]0*$", "")
    values = pc.cast(pc.if_else(good, plain, pa.scalar("0")), pa.int64())
    return values.to_numpy(zero_copy_only=False), good.to_numpy(zero_copy_only=False)


def _tokens(column: pa.Array) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return a column as numbers of its distinct texts."""
    coded = column.dictionary_encode()
    return coded.indices.to_numpy(zero_copy_only=False).astype(
        np.intp
    ), coded.dictionary.to_pylist()


def _verdicts(
    table: Mapping[str, pa.Array], options: ReadOptions, notes: list[str]
) -> tuple[npt.NDArray[np.uint8], dict[str, Ints]]:
    """Return a die state per row (NO_DIE: no result), and the hard and soft bins given."""
    parsed: dict[str, Ints] = {}
    for role in ("pass", "fail", "bin", "soft"):
        if role in table:
            codes, tokens = _tokens(table[role])
            meanings = [parse_token(token) for token in tokens]
            strange = [t for t, m in zip(tokens, meanings, strict=True) if m is None]
            if strange:
                shown = ", ".join(repr(t[:20]) for t in strange[:5])
                notes.append(f"results that mean nothing: {shown}")
            parsed[role] = np.array([BLANK if m is None else m for m in meanings])[codes]
    sides = {
        side: parsed[role] for side, role in (("hard", "bin"), ("soft", "soft")) if role in parsed
    }
    bins = {side: np.where(values > 0, values, 0) for side, values in sides.items()}
    role = next(role for role in ("pass", "fail", "bin", "soft") if role in parsed)
    values, top = parsed[role], int(parsed[role].max(initial=0))
    if role == "pass" and top == 2:
        notes.append("0, 1 and 2 taken as no die, pass and fail")
        codes = np.array([BLANK, GOOD, BAD])
        values = np.where(values < 0, values, codes[np.maximum(values, 0)])
    elif role == "fail":
        bad = (values > 0) | (values == GOOD)
        values = np.where(values == BLANK, BLANK, np.where(bad, BAD, GOOD))
    elif (role != "pass" or top > 2) and (values >= 0).any():
        passing = ", ".join(str(number) for number in options.pass_bins)
        notes.append(f"bin {passing} taken as pass, other numbers as fail")
    return state_of(values, options.pass_bins if role != "pass" or top > 2 else (1,)), bins


def _wafer_codes(
    table: Mapping[str, pa.Array], count: int
) -> tuple[npt.NDArray[np.intp], list[tuple[str, str]]]:
    """Return a number per row for its wafer, and each wafer's (lot, name)."""
    parts = [
        _tokens(table[r]) if r in table else (np.zeros(count, np.intp), [""])
        for r in ("lot", "wafer")
    ]
    (lots, lot_names), (wafers, wafer_names) = parts
    pairs, codes = np.unique(lots * len(wafer_names) + wafers, return_inverse=True)
    return codes, [
        (
            arm(lot_names[pair // len(wafer_names)].strip()),
            _plain_name(arm(wafer_names[pair % len(wafer_names)].strip())),
        )
        for pair in pairs.tolist()
    ]


def _plain_name(name: str) -> str:
    """Return a wafer's name without the decimals that spreadsheets and data frames add."""
    return re.sub(r"\A([0-9]{1,4})[.,]0+\Z", r"\1", name)


def _by_wafer(dies: _Dies) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each wafer, wafers in the order of their first row."""
    order = np.argsort(dies.codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(dies.codes[order])) + 1)
    yield from sorted(groups, key=lambda rows: int(rows[0]))


def _wafer(
    dies: _Dies, rows: npt.NDArray[np.intp], options: ReadOptions, given: Mapping[str, Any]
) -> WaferMap:
    notes = list(given["notes"])
    place = {role: values[rows] for role, values in dies.places.items()}
    across, down = ("col", "row") if {"col", "row"} <= place.keys() else ("x", "y")
    if across == "x":
        far = find_strays(place["x"], place["y"])
        notes += stray_notes(place["x"][far], place["y"][far])
        rows, place = rows[~far], {role: values[~far] for role, values in place.items()}
    sites = find_sites(place[across], place[down])
    frame = sites.frame
    if across == "x":
        notes.append("y taken as growing down")
    elif {"x", "y"} <= place.keys():
        solved = solve_frame(sites, place["x"], place["y"])
        notes += [] if solved else ["x and y do not follow row and col: left out"]
        frame = solved or frame
    states = dies.states[rows]
    order = retest_order(states, options.retests)
    grid = sites.dies(states, order)
    retested = len(rows) - int(np.count_nonzero(grid))
    notes += retest_notes(retested, options.retests)
    bins = {side: sites.bins(values[rows], order) for side, values in dies.bins.items()}
    hard = bins.get("hard")
    if hard is not None and grid.all() and not hard[np.ix_((0, -1), (0, -1))].any():
        grid[hard == 0] = NO_DIE
        notes.append("bin 0 taken as no die: the list fills its grid, corners included")
    lot, name = dies.names[int(dies.codes[rows[0]])]
    own = {"lot_id": lot} if lot else {}
    own |= {"wafer_id": name} if name else {}
    fields: dict[str, Any] = {**given, **own, "notes": tuple(notes)}
    if any(grid is not None for grid in bins.values()):
        fields["bins"] = Bins(hard, bins.get("soft"))
    return WaferMap(grid, frame=frame, **fields)
