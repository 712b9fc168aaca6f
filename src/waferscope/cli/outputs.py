"""The result files of ``waferscope predict``, fed one prediction at a time.

Nothing keeps a prediction: each output takes the part of it that its file needs. Files appear
whole, under their names, when everything is done; overlays appear one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction
    from waferscope.io.formats import Writer
    from waferscope.report.rows import WaferRow

FORMATS: Final = {
    "csv": "predictions.csv",
    "json": "predictions.json",
    "parquet": "predictions.parquet",
    "coco": "predictions.coco.json",
    "png": "overlays",
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
        """Write the file under its name."""


class Results:
    """All outputs of one run, and where they are; made by `open_outputs`."""

    def __init__(self, folder: Path, formats: tuple[str, ...]) -> None:
        from waferscope.report.summary import LotSummary

        self.folder = folder
        self.summary = LotSummary() if "html" in formats else None
        self.paths = {name: folder / FORMATS[name] for name in formats}
        self._outputs = [_open(name, path) for name, path in self.paths.items() if name != "html"]

    @property
    def report(self) -> Path | None:
        """Where the HTML report is, when one was asked for."""
        return self.paths.get("html")

    def add(self, prediction: Prediction) -> WaferRow:
        """Feed every output and return the wafer's row."""
        from waferscope.report.rows import build_row
        from waferscope.report.summary import update

        for output in self._outputs:
            output.add(prediction)
        return update(self.summary, prediction) if self.summary else build_row(prediction)

    def finish(self) -> None:
        """Write every file."""
        from waferscope.report.html import write_summary

        for output in self._outputs:
            output.finish()
        if self.summary is not None:
            write_summary(self.summary, self.paths["html"])


@contextmanager
def open_outputs(folder: Path, formats: tuple[str, ...]) -> Iterator[Results]:
    """Make the folder and yield the outputs; their files are written when the block ends well."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(folder, formats)
    yield results
    results.finish()


def _open(name: str, path: Path) -> Output:
    from waferscope.io import WRITERS

    writer = WRITERS[(name, "predictions")]
    return _Folder(writer, path) if writer.join is None else _File(writer, path)


class _File:
    """One file about all wafers."""

    def __init__(self, writer: Writer, path: Path) -> None:
        self._writer, self._path = writer, path
        self._rows: list[Any] = []

    def add(self, prediction: Prediction) -> None:
        self._rows.append(self._writer.row(prediction))

    def finish(self) -> None:
        from waferscope.io.files import write_whole

        if self._writer.join is not None:
            write_whole(self._path, self._writer.join(self._rows))


class _Folder:
    """One file per wafer, named after it."""

    def __init__(self, writer: Writer, path: Path) -> None:
        self._writer, self._path = writer, path
        self._used: Counter[str] = Counter()
        path.mkdir(parents=True, exist_ok=True)

    def add(self, prediction: Prediction) -> None:
        from waferscope.io.files import safe_name, write_whole

        wafer = prediction.wafer
        parts = [part for part in (wafer.lot_id, wafer.wafer_id) if part]
        stem = safe_name("_".join(parts))
        self._used[stem.lower()] += 1
        number = self._used[stem.lower()]
        name = stem if number == 1 else f"{stem}~{number}"
        path = self._path / f"{name}{self._writer.extensions[0]}"
        write_whole(path, self._writer.row(prediction))

    def finish(self) -> None:
        """Nothing: every file is written already."""
