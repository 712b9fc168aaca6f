"""From what the user names to wafers: files, folders and globs, read one file at a time."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from waferscope.cli.console import say_warning
from waferscope.errors import InputError, WaferScopeError

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

    A file that cannot be read is reported and counted in ``skipped``, or stops everything with
    ``strict``. At most ``limit`` wafers are given. ``options`` and ``format`` say how to read.
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
        self.skipped: list[Path] = []
        self.known = 0
        self.files_read = 0

    def __iter__(self) -> Iterator[WaferMap]:
        """Yield the wafers; ``known`` grows by those of each file before its first is given."""
        given = 0
        for path in self.files:
            wafers = self._read(path)
            if self.limit is not None:
                wafers = wafers[: self.limit - given]
            given += len(wafers)
            self.known = given
            yield from _drain(wafers)
            if self.limit is not None and given >= self.limit:
                return

    @property
    def expected(self) -> int | None:
        """How many wafers there will be, once every file has been opened; None until then."""
        done = self.files_read + len(self.skipped) == len(self.files)
        full = self.limit is not None and self.known >= self.limit
        return self.known if done or full else None

    def _read(self, path: Path) -> list[WaferMap]:
        from waferscope.io import read
        from waferscope.io.formats import ReadOptions

        how = self.options or ReadOptions()
        try:
            wafers = read(
                path,
                self.format,
                columns=how.columns,
                retests=how.retests,
                strict=self.strict,
                pass_bins=how.pass_bins,
                klarf_classes=how.klarf_classes,
                min_defect_um=how.min_defect_um,
            )
        except WaferScopeError as error:
            if self.strict:
                raise
            self.skipped.append(path)
            say_warning(f"skipped {path}: {error}")
            return []
        self.files_read += 1
        return wafers


def _drain(wafers: list[WaferMap]) -> Iterator[WaferMap]:
    """Yield and let go, so that a large file's wafers do not all stay until its end."""
    wafers.reverse()
    while wafers:
        yield wafers.pop()
