"""The result files of ``waferscope predict``, fed one prediction at a time.

Nothing keeps a prediction: each output takes the part of it that its file needs. Files about all
wafers appear whole, under their names, when everything is done; those of a wafer one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, Protocol

from waferscope.cli.console import say_warning
from waferscope.errors import FormatError, InputError

if TYPE_CHECKING:
    from waferscope.domain.inking import BinMapping
    from waferscope.domain.prediction import Prediction
    from waferscope.domain.wafermap import Source
    from waferscope.io.folder import WaferFolder
    from waferscope.io.formats import WriteOptions, Writer
    from waferscope.report.rows import WaferRow

FORMATS: Final = {
    "csv": "predictions.csv",
    "json": "predictions.json",
    "parquet": "predictions.parquet",
    "coco": "predictions.coco.json",
    "coco_polygons": "predictions.polygons.coco.json",
    "mask_png": "masks",
    "png": "overlays",
    "klarf": "klarf",
    "e142": "e142",
    "g85": "g85",
    "sinf": "sinf",
    "html": "report.html",
}
"""Formats, and the file or folder that each makes."""


def parse_formats(text: str) -> tuple[str, ...]:
    """Return the formats of ``csv,html``, each once; raise InputError for an unknown one.

    >>> parse_formats("html, csv,html")
    ('html', 'csv')
    """
    chosen = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise InputError(
            f"Expected formats out of {', '.join(FORMATS)}, got {text!r}. "
            "Name one or more, parted by commas."
        )
    return chosen


class Output(Protocol):
    """One result file or folder in the making."""

    def add(self, prediction: Prediction) -> None:
        """Take what the file needs of a prediction."""

    def finish(self) -> None:
        """Write what is not written yet."""


class Results:
    """All outputs of one run, and where they are; made by `open_outputs`.

    ``refused`` counts the wafers, or files of wafers, that a format could not hold.
    """

    def __init__(self, folder: Path, formats: tuple[str, ...], options: WriteOptions) -> None:
        from waferscope.report.summary import LotSummary

        self.folder = folder
        self.summary = LotSummary() if "html" in formats else None
        self.paths = {name: folder / FORMATS[name] for name in formats}
        self._outputs = [
            _open(name, path, options) for name, path in self.paths.items() if name != "html"
        ]
        self.refused = 0

    @property
    def report(self) -> Path | None:
        """Where the HTML report is, when one was asked for."""
        return self.paths.get("html")

    def add(self, prediction: Prediction) -> WaferRow:
        """Feed every output and return the wafer's row."""
        from waferscope.report.rows import build_row
        from waferscope.report.summary import update

        for output in self._outputs:
            with self._refusals():
                output.add(prediction)
        return update(self.summary, prediction) if self.summary else build_row(prediction)

    def finish(self) -> None:
        """Write every file."""
        from waferscope.report.html import write_summary

        for output in self._outputs:
            with self._refusals():
                output.finish()
        if self.summary is not None:
            write_summary(self.summary, self.paths["html"])

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Go on, and say so, where one format cannot hold one wafer."""
        try:
            yield
        except _RefusedError as error:
            self.refused += 1
            say_warning(f"not written: {error}")


class _RefusedError(Exception):
    """A format cannot hold a wafer; the others can."""


@contextmanager
def open_outputs(
    folder: Path, formats: tuple[str, ...], bins: BinMapping | None = None
) -> Iterator[Results]:
    """Make the folder and yield the outputs; their files are written when the block ends well.

    Raises InputError for a format that needs ``bins`` when there are none.
    """
    from waferscope.io import WRITERS
    from waferscope.io.files import make_folder
    from waferscope.io.formats import WriteOptions

    inked = [name for name in formats if name != "html" and WRITERS[name, "predictions"].options]
    if inked and bins is None:
        raise InputError(
            f"Expected bins for the classes in {', '.join(inked)}, got none. "
            "Say which dies get which, such as --bins scratch=21,edge=22."
        )
    make_folder(folder)
    results = Results(folder, formats, WriteOptions(bins))
    yield results
    results.finish()


def _open(name: str, path: Path, options: WriteOptions) -> Output:
    from waferscope.io import WRITERS
    from waferscope.io.folder import WaferFolder

    writer = WRITERS[name, "predictions"]
    if path.suffix:
        return _OneFile(writer, path)
    kind = _FileByFile if name == "klarf" else _WaferByWafer
    return kind(writer, WaferFolder(path), options)


@dataclass(slots=True)
class _OneFile:
    """One file about all wafers."""

    writer: Writer
    path: Path
    rows: list[Any] = field(default_factory=list)

    def add(self, prediction: Prediction) -> None:
        self.rows.append(self.writer.row(prediction))

    def finish(self) -> None:
        from waferscope.io.files import write_whole

        write_whole(self.path, self.writer.data_of(self.rows))


@dataclass(slots=True)
class _WaferByWafer:
    """One file per wafer, named after it."""

    writer: Writer
    folder: WaferFolder
    options: WriteOptions

    def add(self, prediction: Prediction) -> None:
        from waferscope.io.folder import name_of

        name = name_of(prediction)
        with _refusing(name):
            data = self.writer.data_of([self.writer.row_of(prediction, self.options)])
        self.folder.add(name, self.writer.extensions[0], data)

    def finish(self) -> None:
        """Nothing: every file is written already."""


@dataclass(slots=True)
class _FileByFile:
    """One file per KLARF file that was read, under its name; of other wafers one per wafer.

    The wafers of a file come one after the other.
    """

    writer: Writer
    folder: WaferFolder
    options: WriteOptions
    rows: list[Any] = field(default_factory=list)
    source: Source | None = None

    def add(self, prediction: Prediction) -> None:
        from waferscope.io.folder import name_of

        source = prediction.wafer.source
        if source is None or "klarf" not in source.extra:
            _WaferByWafer(self.writer, self.folder, self.options).add(prediction)
            return
        if self.source is not None and source.extra["klarf"] is not self.source.extra["klarf"]:
            self.finish()
        with _refusing(name_of(prediction)):
            self.rows.append(self.writer.row(prediction))
        self.source = source

    def finish(self) -> None:
        if self.source is None:
            return
        rows, name = self.rows, PurePath(self.source.name.rpartition(":")[2])
        self.rows, self.source = [], None
        with _refusing(str(name)):
            data = self.writer.data_of(rows)
        self.folder.add(name.stem, name.suffix or self.writer.extensions[0], data)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Tell what a format cannot hold from a disk that is full."""
    try:
        yield
    except FormatError as error:
        raise _RefusedError(f"{name}: {error}") from error
