"""The parts of an .xlsx workbook (ECMA-376 part 1) as text, read in one pass within limits.

A workbook is a zip of XML parts. Its sheets are streamed row by row into lines of cells parted by
tabs; nothing is evaluated, and of a formula the value saved beside it is read.
"""

from __future__ import annotations

import io
import math
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from waferscope.errors import FormatError
from waferscope.io.archive import Blob, check_directory

MOST_EVENTS: Final = 12_000_000
"""Elements in all parts of one file; a list of 500,000 dies of 8 columns has 9 million."""
_EVENTS_FROM: Final = 1_000_000
"""Elements that the smallest file may hold; a larger one as many more as it has bytes."""
MOST_TEXT: Final = 64 << 20
"""Letters of all cells of a sheet, and of all shared texts."""
MOST_ROWS, MOST_COLUMNS = 1 << 20, 1 << 14
_LONGEST_CELL: Final = 255
_LONGEST_TOKEN: Final = 1 << 20
_STEP: Final = 1 << 16
_CELL: Final = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_BLANKS: Final = re.compile("[\0-\x1f\x85\u2028\u2029]+")
# What zipfile raises on damage: ValueError and OSError for places outside the file, RuntimeError
# for members behind a password.
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OSError),
)


@dataclass(slots=True)
class Sheet:
    """One sheet: rows as lines of cells parted by tabs, an empty line for any rows left free.

    A row's first cell is column A; a cell with quotes in it is quoted as in CSV. ``formulas``
    counts cells whose saved value was read, ``empty`` formulas without one and errors.
    """

    name: str
    lines: list[str] = field(default_factory=list)
    formulas: int = 0
    empty: int = 0


class Book:
    """An open workbook: `sheets` yields the visible ones in order; ``hidden`` names the others."""

    def __init__(self, stream: IO[bytes], blob: Blob) -> None:
        self._blob = blob
        self._spent = self._events = 0
        self._most = min(MOST_EVENTS, _EVENTS_FROM + stream.seek(0, io.SEEK_END))
        check_directory(stream, blob)
        self._zip = zipfile.ZipFile(stream)
        self._members = {info.filename.lower(): info for info in self._zip.infolist()}
        home = next((n for n in self._members if posixpath.basename(n) == "workbook.xml"), None)
        if home is None:
            raise _no_book(blob, "a zip without a workbook.xml")
        folder, base = posixpath.split(home)
        links = self._list(f"{folder}/_rels/{base}.rels".lstrip("/"), "Relationship")
        targets = {link.get("Id", ""): self._path(folder, link.get("Target", "")) for link in links}
        sheets = [s for s in self._list(home, "sheet") if s.get("name")]
        self.hidden = [s["name"] for s in sheets if s.get("state", "visible") != "visible"]
        self._sheets = [(s["name"], targets.get(s.get("id", ""), "")) for s in sheets]
        kinds = {posixpath.basename(link.get("Type", "")): link.get("Id", "") for link in links}
        self._texts_at = targets.get(kinds.get("sharedStrings", ""), "")

    def sheets(self) -> Iterator[Sheet]:
        """Yield the visible sheets; raise FormatError for a damaged one."""
        texts = _Texts(self._blob)
        if self._texts_at in self._members:
            self._parse(self._texts_at, texts)
        for name, path in self._sheets:
            if name in self.hidden or path not in self._members:
                continue
            rows = _Rows(Sheet(name[:100]), texts.found, self._blob)
            self._parse(path, rows)
            yield rows.sheet

    def _path(self, folder: str, target: str) -> str:
        whole = target if target.startswith("/") else f"{folder}/{target}"
        return posixpath.normpath(whole).lstrip("/").lower()

    def _list(self, path: str, name: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a name in a part; none where it is missing."""
        found = _Found(name, self._blob)
        if path in self._members:
            self._parse(path, found)
        return found.found

    def _parse(self, path: str, target: _Target) -> None:
        """Stream a part through a parser, counting what it unpacks to and what it holds."""
        limits, info, waiting = self._blob.limits, self._members[path], 0
        parser = DefusedXMLParser(target=target, forbid_dtd=True)
        target.events, target.most = self._events, self._most
        try:
            with self._zip.open(info) as member:
                while chunk := member.read(_STEP):
                    self._spent += len(chunk)
                    roomy = max(limits.ratio_floor, limits.ratio * info.compress_size)
                    if self._spent > min(limits.whole_bytes, roomy):
                        raise _no_book(self._blob, f"more than {self._spent:,} bytes unpacked")
                    before = target.calls
                    parser.feed(chunk)
                    waiting = waiting + len(chunk) if target.calls == before else 0
                    if waiting > _LONGEST_TOKEN:
                        raise _no_book(self._blob, f"a tag of over {_LONGEST_TOKEN:,} bytes")
            parser.close()
        except DefusedXmlException as error:
            raise _no_book(self._blob, f"a document type or entities in {path[:60]}") from error
        # LookupError, ValueError: an encoding that is unknown or that the parser cannot read
        except (*_DAMAGE, ParseError, LookupError) as error:
            raise _no_book(self._blob, f"{path[:60]} damaged ({str(error)[:100]})") from error
        self._events = target.events


def open_book(blob: Blob) -> Book:
    """Return the workbook in a blob; raise FormatError when it is none or is damaged."""
    try:
        return Book(blob.seekable(), blob)
    except _DAMAGE as error:
        raise _no_book(blob, f"a damaged zip ({str(error)[:100]})") from error


class _Target:
    """What the parser calls; counts elements, names without their namespace."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.events = self.calls = 0
        self.most = MOST_EVENTS

    def start(self, tag: str, attrs: Mapping[str, str]) -> None:
        self.calls += 1
        self.events += 1
        if self.events > self.most:
            raise _no_book(self.blob, f"more than {self.most:,} elements")
        self.opened(tag.rpartition("}")[2], attrs)

    def end(self, tag: str) -> None:
        self.calls += 1
        self.closed(tag.rpartition("}")[2])

    def data(self, text: str) -> None:
        self.calls += 1

    def close(self) -> None:
        """Nothing is left to do."""

    def opened(self, name: str, attrs: Mapping[str, str]) -> None:
        """Take note of an element that begins."""

    def closed(self, name: str) -> None:
        """Take note of an element that ends."""


class _Found(_Target):
    """Keeps the attributes of all elements of one name."""

    def __init__(self, name: str, blob: Blob) -> None:
        super().__init__(blob)
        self._name = name
        self.found: list[dict[str, str]] = []

    def opened(self, name: str, attrs: Mapping[str, str]) -> None:
        if name == self._name and len(self.found) < self.blob.limits.members:
            self.found.append({k.rpartition("}")[2]: v[:1000] for k, v in attrs.items()})


class _Letters(_Target):
    """Collects the text of a cell or a shared text, as far as one is kept."""

    def __init__(self, blob: Blob) -> None:
        super().__init__(blob)
        self.text = ""
        self.listens = False
        self._total = 0

    def data(self, text: str) -> None:
        self.calls += 1
        if self.listens and len(self.text) < _LONGEST_CELL:
            self.text += text[: _LONGEST_CELL - len(self.text)]

    def spend(self, letters: int) -> None:
        """Count what is kept; raise FormatError beyond the limit."""
        self._total += letters
        if self._total > MOST_TEXT:
            raise _no_book(self.blob, f"more than {MOST_TEXT:,} letters or cells")


class _Texts(_Letters):
    """The shared texts: parts of a rich text joined, readings above the line left out."""

    def __init__(self, blob: Blob) -> None:
        super().__init__(blob)
        self.found: list[str] = []
        self._reading = False

    def opened(self, name: str, attrs: Mapping[str, str]) -> None:
        if name == "si":
            self.text = ""
        self._reading |= name == "rPh"
        self.listens = name == "t" and not self._reading

    def closed(self, name: str) -> None:
        self.listens = False
        if name == "rPh":
            self._reading = False
        elif name == "si":
            self.spend(len(self.text) + 8)
            self.found.append(_BLANKS.sub(" ", self.text).strip())


class _Rows(_Letters):
    """The rows of a sheet as lines."""

    def __init__(self, sheet: Sheet, texts: list[str], blob: Blob) -> None:
        super().__init__(blob)
        self.sheet = sheet
        self._texts = texts
        self._row = self._column = 0
        self._kind = ""
        self._formula = False
        self._cells: list[str] = []

    def opened(self, name: str, attrs: Mapping[str, str]) -> None:
        if name == "row":
            self._begin_row(attrs.get("r", ""))
        elif name == "c":
            self._kind, self.text, self._formula = attrs.get("t", "n"), "", False
            self._column = self._place(attrs.get("r", ""))
        self._formula |= name == "f"
        self.listens = name == "v" or (name == "t" and self._kind == "inlineStr")

    def closed(self, name: str) -> None:
        self.listens = False
        if name == "c":
            self._end_cell()
        elif name == "row":
            self.spend(len(self._cells) + 1)
            self.sheet.lines.append("\t".join(self._cells))

    def _begin_row(self, number: str) -> None:
        row = int(number) if number.isdecimal() and len(number) < 8 else self._row + 1
        if not self._row < row <= MOST_ROWS:
            raise _no_book(self.blob, f"row {row} after row {self._row}")
        if row > self._row + 1 and self.sheet.lines:
            self.sheet.lines.append("")
        self._row, self._cells, self._column = row, [], 0

    def _place(self, reference: str) -> int:
        match = _CELL.fullmatch(reference)
        if match is None:
            return self._column + 1
        column = 0
        for letter in match[1]:
            column = column * 26 + ord(letter) - 64
        return column

    def _end_cell(self) -> None:
        text = self._shown()
        self.sheet.formulas += self._formula and text != ""
        self.sheet.empty += (self._formula and text == "") or self._kind == "e"
        if not text:
            return
        if not len(self._cells) < self._column <= MOST_COLUMNS:
            raise _no_book(self.blob, f"column {self._column} after column {len(self._cells)}")
        self.spend(len(text) + self._column - len(self._cells))
        self._cells += [""] * (self._column - len(self._cells) - 1)
        self._cells.append(f'"{text.replace(chr(34), chr(34) * 2)}"' if '"' in text else text)

    def _shown(self) -> str:
        """Return a cell as a person would type it."""
        text = self.text.strip()
        if self._kind == "s":
            if not (text.isdecimal() and len(text) < 9 and int(text) < len(self._texts)):
                raise _no_book(self.blob, f"a cell with the shared text {text[:20]!r}")
            return self._texts[int(text)]
        if self._kind == "b":
            return "true" if text == "1" else "false"
        if self._kind == "e":
            return ""
        if self._kind == "n" and not text.isdecimal():
            return _number(text)
        return _BLANKS.sub(" ", text).strip()


def _number(text: str) -> str:
    """Return a number as a whole one where it is one: 7.0 and 7.0000000000000009 are 7."""
    try:
        value = float(text)
    except ValueError:
        return _BLANKS.sub(" ", text)
    if not math.isfinite(value):
        return ""
    return str(round(value)) if abs(value - round(value)) < 1e-9 and abs(value) < 1e15 else text


def _no_book(blob: Blob, got: str) -> FormatError:
    return FormatError(
        f"Expected a sound Excel workbook (.xlsx), got {blob.name} with {got}. "
        "Open it and save it again, or export the sheet as CSV."
    )


def is_workbook(head: bytes) -> bool:
    """Tell .xlsx by the first member of the zip, and old or encrypted Excel by its magic."""
    length = int.from_bytes(head[26:28], "little")
    name = head[30 : 30 + length].lower()
    first: Any = (b"[content_types].xml", b"_rels/", b"xl/", b"docprops/")
    return (head.startswith(b"PK\x03\x04") and name.startswith(first)) or is_old(head)


def is_old(head: bytes) -> bool:
    """Tell what .xls and a workbook behind a password begin with (OLE2)."""
    return head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
