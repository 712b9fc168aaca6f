"""KLARF 1.1 and 1.2: statements one after the other, each holding until it is said anew.

Lengths are in um, the size of a round sample in mm. What stands before the first WaferID holds for
all wafers; what follows a wafer's defects belongs to the wafers after it. A list of inspected dies
holds until the next one.
"""

from __future__ import annotations

from typing import Final

from waferscope.errors import FormatError
from waferscope.io.klarf.records import MAX_COLUMNS, Fields, Records, Table, WaferRecord, line_of
from waferscope.io.klarf.tokens import Statement, items, number, statements, text

_DIES: Final = ("XINDEX", "YINDEX")
_DIE_LISTS: Final = {"sampletestplan": "plans", "removeddielist": "removed"}


def parse_flat(data: bytes, version: str) -> Records:
    """Return the wafers of a file of statements; raise FormatError for one that cannot be."""
    walk = _Walk(data, Records(version, 1000.0))
    for statement in statements(data):
        if walk.done:
            break
        walk.take(statement)
    return walk.finish()


class _Walk:
    """Goes through the statements; ``header`` holds what later wafers take over."""

    def __init__(self, data: bytes, records: Records) -> None:
        self.data, self.records = data, records
        self.header: Fields = {}
        self.shared: list[Table] = []
        self.columns: tuple[str, ...] | None = None
        self.summary: tuple[str, ...] = ()
        self.wafer: WaferRecord | None = None
        self.closed = self.done = False
        self.last: Table | None = None
        self.unended = 0

    def take(self, statement: Statement) -> None:
        """Take one statement."""
        keyword = statement.keyword
        if not keyword:
            self._continue(statement)
            return
        self.last = None
        self.unended += not (statement.ended or keyword == "endoffile")
        if keyword == "endoffile":
            self.done = True
        elif keyword == "waferid":
            self._begin(self._values(statement))
        elif keyword == "defectrecordspec":
            self.columns = self._names(statement)
        elif keyword == "summaryspec":
            self.summary = self._names(statement)
        elif keyword == "defectlist":
            self._add_defects(statement)
        elif keyword in _DIE_LISTS:
            self._add_dies(statement, _DIE_LISTS[keyword])
        elif keyword == "summarylist":
            if self.wafer is not None and self.summary:
                self.wafer.summaries.append(self._table(statement, self.summary))
        else:
            self._fields()[keyword] = self._values(statement)

    def finish(self) -> Records:
        """Return what was found."""
        records = self.records
        if not self.done:
            records.damage = "it has no EndOfFile"
        if self.unended > (not self.done):
            records.notes.append("statements without a semicolon taken as ended by the next one")
        holds = list(self.shared)
        for wafer in records.wafers:
            if wafer.plans or wafer.defects or self.shared:
                holds = wafer.plans = wafer.plans or holds
        return records

    def _values(self, statement: Statement) -> list[bytes]:
        return items(self.data, statement.start, statement.end)

    def _fields(self) -> Fields:
        return self.header if self.wafer is None or self.closed else self.wafer.fields

    def _begin(self, values: list[bytes]) -> None:
        self.wafer = self.records.add_wafer({**self.header, "waferid": values})
        self.closed = False

    def _open_wafer(self) -> WaferRecord:
        if self.wafer is None:
            self.records.notes.append("no WaferID before the defects")
            self._begin([])
        assert self.wafer is not None
        return self.wafer

    def _names(self, statement: Statement) -> tuple[str, ...]:
        """Return the columns that a spec names behind their count."""
        values = self._values(statement)
        names = tuple(text(value).upper() for value in values[1:])
        declared = number(values[0]) if values else None
        if not names or len(names) > MAX_COLUMNS or declared is None:
            raise FormatError(
                f"Expected a count and the names of 1 to {MAX_COLUMNS} columns, got "
                f"{b' '.join(values)[:60]!r} on line {line_of(self.data, statement.start)}. "
                "Check the file's DefectRecordSpec and SummarySpec."
            )
        if declared != len(names):
            note = f"a spec counts {declared:g} columns and names {len(names)}: the names count"
            self.records.notes.append(note)
        return names

    def _table(self, statement: Statement, columns: tuple[str, ...]) -> Table:
        self.last = Table(columns, statement.start, statement.end, cut=not self._closed(statement))
        return self.last

    def _closed(self, statement: Statement) -> bool:
        return statement.ended or statement.end < len(self.data)

    def _add_defects(self, statement: Statement) -> None:
        wafer = self._open_wafer()
        if self.columns is None:
            raise FormatError(
                "Expected a DefectRecordSpec before the DefectList, got none up to line "
                f"{line_of(self.data, statement.start)}. Add it: it names the columns."
            )
        wafer.defects.append(self._table(statement, self.columns))
        self.closed = True

    def _add_dies(self, statement: Statement, kind: str) -> None:
        """Add a list of dies; the count before them is left out of the table."""
        found = items(self.data, statement.start, statement.start + 64)[:1]
        first = found[0] if found else b""
        table = self._table(statement, _DIES)
        table.start = self.data.find(first, statement.start) + len(first)
        table.declared = number(first)
        if kind == "plans" and (self.wafer is None or self.closed):
            self.shared.append(table)
        else:
            getattr(self._open_wafer(), kind).append(table)

    def _continue(self, statement: Statement) -> None:
        """Add rows that follow a semicolon within a list to it."""
        if self.last is not None:
            self.last.end = statement.end
            self.last.cut = not self._closed(statement)
