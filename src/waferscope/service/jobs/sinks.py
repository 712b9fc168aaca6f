"""Files of results that take one prediction at a time and hold little of it.

A hundred thousand wafers are 1 GB as JSON: only the rows of the result table are kept in memory.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol

from waferscope.domain.prediction import Prediction
from waferscope.io import WRITERS
from waferscope.io.coco import coco_image, coco_row
from waferscope.io.files import safe_name
from waferscope.io.folder import FileNames, name_of
from waferscope.io.image import draw_overlay, png_bytes
from waferscope.io.results import json_row, result_csv, result_row
from waferscope.report.html import write_summary
from waferscope.report.summary import LotSummary, update

PICTURE_PX: Final = 380
"""Width of a wafer in the zip: 33 ms of a core each; at the 760 of a single picture, 110."""


class Mark(NamedTuple):
    """What a row of a batch is about: names of wafers may repeat, as after a retest."""

    position: int
    wafer_map_id: str
    prediction_id: str


class Sink(Protocol):
    """A file in the making."""

    def add(self, mark: Mark, prediction: Prediction) -> None:
        """Take one more prediction."""

    def close(self, failures: bytes) -> Path:
        """Finish the file and return where it is; ``failures`` is the list of what failed."""


class TableSink:
    """The result table as one of the writers' formats."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path: Final = folder / name
        self._writer: Final = WRITERS[name, "predictions"]
        self._rows: Final[list[Any]] = []

    def add(self, mark: Mark, prediction: Prediction) -> None:
        """Take one more row."""
        self._rows.append(mark._asdict() | self._writer.row(prediction))

    def close(self, failures: bytes) -> Path:
        """Write the table."""
        del failures  # they have a file of their own
        self._path.write_bytes(self._writer.data_of(self._rows))
        return self._path


class JsonSink:
    """A JSON array with one full record per line, as `io` writes it, its mark in front."""

    def __init__(self, folder: Path) -> None:
        self._path: Final = folder / "json"
        self._file: Final = self._path.open("wb")
        self._between = b"[\n"

    def add(self, mark: Mark, prediction: Prediction) -> None:
        """Write one more record."""
        front = json.dumps(mark._asdict()).encode().removesuffix(b"}")
        rest = json_row(prediction).removeprefix(b"{")
        self._file.write(self._between + front + b", " + rest)
        self._between = b",\n"

    def close(self, failures: bytes) -> Path:
        """End the array."""
        del failures  # they have a file of their own
        self._file.write(b"\n]\n")
        self._file.close()
        return self._path


class CocoSink:
    """One COCO file; images and annotations are gathered on disk, since each is one list."""

    def __init__(self, folder: Path) -> None:
        self._path: Final = folder / "coco"
        self._lists: Final[Mapping[str, IO[bytes]]] = {
            name: (folder / f"coco_{name}").open("w+b") for name in ("images", "annotations")
        }
        self._counts: Final = dict.fromkeys(self._lists, 0)
        self._names: Final = FileNames()
        self._first: dict[str, Any] = {}

    def add(self, mark: Mark, prediction: Prediction) -> None:
        """Write one more image and its annotations, numbered."""
        row = coco_row(prediction)
        self._first = self._first or row
        image = self._append("images", coco_image(row, self._names) | mark._asdict())
        for annotation in row["annotations"]:
            self._append("annotations", {"image_id": image, **annotation})

    def _append(self, name: str, entry: dict[str, Any]) -> int:
        self._counts[name] += 1
        number = self._counts[name]
        text = json.dumps({"id": number, **entry}, allow_nan=False)
        self._lists[name].write((", " if number > 1 else "").encode() + text.encode())
        return number

    def close(self, failures: bytes) -> Path:
        """Join the lists."""
        del failures  # they have a file of their own
        with self._path.open("wb") as file:
            file.write(b'{"info": ' + json.dumps(self._first["info"]).encode())
            for name, part in self._lists.items():
                file.write(f', "{name}": ['.encode())
                part.seek(0)
                while chunk := part.read(1 << 20):
                    file.write(chunk)
                part.close()
                file.write(b"]")
            categories = json.dumps(self._first["categories"]).encode()
            file.write(b', "categories": ' + categories + b"}")
        return self._path


class ZipSink:
    """A zip: the lot report, the result table, what failed, and a picture of every wafer."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._path: Final = folder / "zip"
        self._zip: Final = zipfile.ZipFile(self._path, "w")
        self._summary: Final = LotSummary()
        self._rows: Final[list[Any]] = []

    def add(self, mark: Mark, prediction: Prediction) -> None:
        """Draw one more wafer."""
        self._rows.append(mark._asdict() | result_row(prediction))
        update(self._summary, prediction)
        name = f"wafers/{len(self._rows):06d}_{safe_name(name_of(prediction))}.png"
        self._zip.writestr(name, png_bytes(draw_overlay(prediction, _scale(prediction))))

    def close(self, failures: bytes) -> Path:
        """Write the report and the tables."""
        report = self._folder / "report.html"
        write_summary(self._summary, report)
        deflated = zipfile.ZIP_DEFLATED
        with self._zip:
            self._zip.write(report, report.name, deflated)
            self._zip.writestr("results.csv", result_csv(self._rows), deflated)
            self._zip.writestr("failures.csv", failures, deflated)
        return self._path


def _scale(prediction: Prediction) -> int:
    """Return the pixels of a die that make a picture of about PICTURE_PX."""
    return max(1, PICTURE_PX // max(prediction.wafer.shape))


SINKS: Final[dict[str, Callable[[Path], Sink]]] = {
    "csv": lambda folder: TableSink(folder, "csv"),
    "parquet": lambda folder: TableSink(folder, "parquet"),
    "json": JsonSink,
    "coco": CocoSink,
    "zip": ZipSink,
}
"""What makes the file of each format in a folder."""
