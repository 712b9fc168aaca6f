"""KLARF 1.8: records within records, fields and lists; lengths are in nm.

A wafer takes over the fields of its lot and its file, wherever in them they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from waferscope.errors import FormatError
from waferscope.io.klarf.records import MAX_COLUMNS, Fields, Records, Table, line_of
from waferscope.io.klarf.tokens import BRACED, STRING, number, text

MAX_NODES: Final = 200_000
MAX_DEPTH: Final = 16
MAX_VALUES: Final = 10_000
_TOKEN: Final = re.compile(rb'\s*+([{};,]|"[^"\r\n]*+"|[^\s{};,"]++|")')
_BODY: Final = re.compile(rb'(?>[^{}"]++|' + STRING + rb'|"|' + BRACED + rb")*+(\}?)")
_ALIASES: Final = {"slotnumber": "slot", "recipeid": "setupid"}
_TABLES: Final = {
    "defectlist": "defects",
    "sampletestplanlist": "plans",
    "sampletestplan": "plans",
    "removeddielist": "removed",
    "testsummarylist": "summaries",
}


@dataclass(slots=True)
class _Node:
    """A record: its kind in small letters, its name, fields, tables and the records in it."""

    kind: str
    name: list[bytes] = field(default_factory=list)
    fields: Fields = field(default_factory=dict)
    tables: list[tuple[str, Table]] = field(default_factory=list)
    records: list[_Node] = field(default_factory=list)


def parse_nested(data: bytes, version: str) -> Records:
    """Return the wafers of a file of records; raise FormatError for one that cannot be."""
    walk = _Walk(data)
    try:
        walk.run()
    except _EndError:
        walk.damage = walk.damage or "it breaks off within a record"
    records = Records(version, 1e6, damage=walk.damage)
    for fields, wafer in _wafers(walk.root, {}):
        made = records.add_wafer(fields)
        for node in _within(wafer):
            for kind, table in node.tables:
                getattr(made, kind).append(table)
    return records


def _wafers(node: _Node, above: Fields) -> Iterator[tuple[Fields, _Node]]:
    fields = {**above, **node.fields}
    if node.kind == "lotrecord":
        fields["lotid"] = node.name
    if node.kind == "waferrecord":
        yield {**fields, "waferid": node.name}, node
        return
    for record in node.records:
        yield from _wafers(record, fields)


def _within(node: _Node) -> Iterator[_Node]:
    yield node
    for record in node.records:
        yield from _within(record)


class _EndError(Exception):
    """The file ends where something was expected."""


class _Walk:
    """Goes through the records of a file, ``open`` ones on a stack."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.nodes, self.damage = data, 0, 0, ""
        self.root = _Node("")
        self.open = [self.root]

    def run(self) -> None:
        """Read to EndOfFile; raise _EndError where the file stops before it."""
        while True:
            word = self._next()
            kind = word.lower()
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise self._wrong(f"at most {MAX_NODES:,} records and fields", word)
            if kind == b"record":
                self._begin()
            elif kind == b"field":
                name = text(self._next()).lower()
                self.open[-1].fields[_ALIASES.get(name, name)] = self._braced()
            elif kind == b"list":
                self._read_list()
            elif kind == b"}" and len(self.open) > 1:
                self.open.pop()
            elif kind == b"endoffile":
                self.damage = "" if len(self.open) == 1 else "it ends within a record"
                return
            elif kind != b";":
                raise self._wrong("Record, Field, List or EndOfFile", word)

    def _next(self) -> bytes:
        match = _TOKEN.match(self.data, self.place)
        if match is None:
            raise _EndError
        self.place = match.end()
        return match[1]

    def _wrong(self, expected: str, got: bytes) -> FormatError:
        """Return the error to raise; raise _EndError where the file ends within the word."""
        if self.place == len(self.data):
            raise _EndError
        line = line_of(self.data, self.place)
        return FormatError(
            f"Expected {expected} in a KLARF 1.8 file, got {got[:30]!r} on line {line}. "
            "Fetch the file again, or check what wrote it."
        )

    def _begin(self) -> None:
        node = _Node(text(self._next()).lower())
        while (word := self._next()) != b"{":
            if word in (b"}", b";") or len(node.name) >= MAX_VALUES:
                raise self._wrong("{ behind the name of a record", word)
            node.name.append(word)
        if len(self.open) > MAX_DEPTH:
            raise self._wrong(f"at most {MAX_DEPTH} records within each other", word)
        self.open[-1].records.append(node)
        self.open.append(node)

    def _braced(self) -> list[bytes]:
        """Return the values between the next braces; a count may stand before them."""
        word = self._next()
        word = word if word == b"{" else self._next()
        if word != b"{":
            raise self._wrong("{", word)
        values: list[bytes] = []
        while (word := self._next()) != b"}":
            if word == b"{" or len(values) > MAX_VALUES:
                raise self._wrong("the values of a field or columns", word)
            if word != b",":
                values.append(word)
        return values

    def _read_list(self) -> None:
        """Read Columns, and take the rows of Data as a range of bytes."""
        kind = text(self._next()).lower()
        columns: tuple[str, ...] = ()
        if (word := self._next()) != b"{":
            raise self._wrong("{ behind the name of a list", word)
        while (word := self._next().lower()) != b"}":
            if word == b"columns":
                names = self._braced()[1::2]  # each behind its type
                columns = tuple(text(name).upper() for name in names)
            elif word == b"data":
                self._take_rows(kind, columns)
            else:
                raise self._wrong("Columns or Data", word)

    def _take_rows(self, kind: str, columns: tuple[str, ...]) -> None:
        count = word = self._next()
        word = word if word == b"{" else self._next()
        if word != b"{" or not 1 <= len(columns) <= MAX_COLUMNS:
            raise self._wrong(f"Columns (1 to {MAX_COLUMNS}) and {{ before the rows", word)
        body = _BODY.match(self.data, self.place)
        if body is None:  # cannot be: the pattern also fits nothing
            raise _EndError
        start, end, self.place = body.start(), body.start(1), body.end()
        if kind in _TABLES:
            table = Table(columns, start, end, True, not body[1], number(count))
            self.open[-1].tables.append((_TABLES[kind], table))
        if not body[1]:
            raise _EndError
