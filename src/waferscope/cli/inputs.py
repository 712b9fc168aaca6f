"""From what the user names to wafers: files, folders and globs, read one file at a time."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from waferscope.cli.console import say_warning
from waferscope.errors import FormatError, InputError, WaferScopeError

if TYPE_CHECKING:
    from waferscope.domain.wafermap import WaferMap
    from waferscope.io.formats import ReadOptions


def find_files(names: Sequence[str]) -> list[Path]:
    """Return the files that paths, folders and globs stand for, in order, each once.

    A folder gives every file below it but hidden ones, sorted by name. A name that is no path is
    tried as a glob (``**`` goes down). Raises InputError for a name that stands for nothing.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            members = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p, path))
        elif path.exists():
            members = [path]
        else:
            members = sorted(Path(p) for p in glob.glob(name, recursive=True) if Path(p).is_file())
        if not members:
            what = "a folder with files" if path.is_dir() else "a file, folder or glob"
            raise InputError(f"Expected {what}, got {name!r} where there is none. Check the path.")
        found.update(dict.fromkeys(members))
    return list(found)


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


class WaferFiles:
    """Wafers of many files, in order; iterate once.

    A file that cannot be read, alone or in an archive, is reported and named in ``skipped``, or
    stops everything with ``strict``. At most ``limit`` wafers are given. ``options`` and ``format``
    say how to read.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        strict: bool = False,
        limit: int | None = None,
        options: ReadOptions | None = None,
        format: str | None = None,
    ) -> None:
        self.files = files
        self.options = options
        self.format = format
        self.strict = strict
        self.limit = limit
        self.skipped: list[str] = []
        self.known = 0
        self._opened = self._tried = 0

    def __iter__(self) -> Iterator[WaferMap]:
        """Yield the wafers; ``known`` grows by those of each file before its first is given."""
        given = 0
        for path in self.files:
            wafers = self._read(path, None if self.limit is None else self.limit - given)
            given += len(wafers)
            self.known = given
            self._opened += 1
            yield from _drain(wafers)
            if self.limit is not None and given >= self.limit:
                return

    @property
    def expected(self) -> int | None:
        """How many wafers there will be, once every file has been opened; None until then."""
        done = self._opened == len(self.files)
        full = self.limit is not None and self.known >= self.limit
        return self.known if done or full else None

    @property
    def count(self) -> int:
        """How many files there are; an archive that was opened counts as what is in it."""
        return len(self.files) - self._opened + self._tried

    def _read(self, path: Path, room: int | None) -> list[WaferMap]:
        found: list[WaferMap] = []
        for name, wafers, error in self._parts(path):
            self._tried += 1
            found += wafers
            if error is not None:
                if self.strict:
                    raise error
                self.skipped.append(name)
                say_warning(f"skipped {name}: {error}")
            if room is not None and len(found) >= room:
                break
        return found[:room]

    def _parts(self, path: Path) -> Iterator[tuple[str, list[WaferMap], WaferScopeError | None]]:
        """Yield each file in a file: what to call it, its wafers, and why there are none."""
        from waferscope.io import read_parts
        from waferscope.io.formats import ReadOptions

        options = replace(self.options or ReadOptions(), strict=self.strict)
        rest, some = str(path), False
        try:
            for part in read_parts(path, self.format, options):
                name = _member_name(path, part.name)
                some, rest = True, f"the rest of {path}"
                yield name, part.wafers, part.error or (None if part.wafers else _no_wafer(name))
        except WaferScopeError as error:
            yield rest, [], error
            return
        if not some:
            yield rest, [], _no_wafer(rest)


def _member_name(path: Path, part: str) -> str:
    """Return the path of a file, with the names of archive members behind it.

    >>> _member_name(Path("lots/a.zip"), "a.zip:w1.csv")
    'lots/a.zip:w1.csv'
    """
    return ":".join([str(path), *part.split(":")[1 + path.name.count(":") :]])


def _no_wafer(name: str) -> FormatError:
    return FormatError(f"Expected at least one wafer in {name}, got none. Check what wrote it.")


def _drain(wafers: list[WaferMap]) -> Iterator[WaferMap]:
    """Yield and let go, so that a large file's wafers do not all stay until its end."""
    wafers.reverse()
    while wafers:
        yield wafers.pop()
