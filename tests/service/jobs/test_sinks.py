"""Files of results that are written wafer by wafer are those that the library writes at once."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.infer import load_predictor
from waferscope.io import write
from waferscope.io.image import draw_overlay
from waferscope.service.jobs.sinks import PICTURE_PX, SINKS, Mark, _scale

FAILURES = b"position,wafer_map_id,error\n"
MARKS = [Mark(position, f"waf_{position}", f"pred_{position}") for position in (0, 1, 3, 4, 7)]


@pytest.fixture(scope="module")
def predictions() -> list[Prediction]:
    wafers = [make_wafer(seed, side) for seed, side in ((0, 24), (1, 33), (2, 24))]
    odd = make_wafer(0, 24, wafer_id="../é")
    return load_predictor(threads=1).predict([*wafers, odd, wafers[0]])


def written(name: str, predictions: list[Prediction], folder: Path) -> Path:
    sink = SINKS[name](folder)
    for mark, prediction in zip(MARKS, predictions, strict=True):
        sink.add(mark, prediction)
    return sink.close(FAILURES)


def told(row: dict[str, Any]) -> Mark:
    """Take out of a row what it is about; what is left is the library's."""
    return Mark(int(row.pop("position")), row.pop("wafer_map_id"), row.pop("prediction_id"))


READ: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "csv": lambda data: list(csv.DictReader(io.StringIO(data.decode()))),
    "parquet": lambda data: pq.read_table(io.BytesIO(data)).to_pylist(),
    "json": json.loads,
}


@pytest.mark.parametrize("name", list(READ))
def test_files_are_the_librarys_and_say_which_wafer_each_row_is(
    name: str, predictions: list[Prediction], tmp_path: Path
) -> None:
    write(predictions, tmp_path / f"wanted.{name}")
    wanted = READ[name]((tmp_path / f"wanted.{name}").read_bytes())
    rows = READ[name](written(name, predictions, tmp_path).read_bytes())
    assert tuple(rows[0])[:3] == Mark._fields == ("position", "wafer_map_id", "prediction_id")
    assert [told(row) for row in rows] == MARKS
    assert rows == wanted


def test_coco_is_the_librarys(predictions: list[Prediction], tmp_path: Path) -> None:
    write(predictions, tmp_path / "wanted.coco.json")
    found = json.loads(written("coco", predictions, tmp_path).read_bytes())
    assert found["annotations"]
    names = [image["file_name"] for image in found["images"]]
    assert len(set(names)) == len(names) == len(predictions)
    assert [told(image) for image in found["images"]] == MARKS
    assert found == json.loads((tmp_path / "wanted.coco.json").read_bytes())


def test_the_zip_has_everything(predictions: list[Prediction], tmp_path: Path) -> None:
    write(predictions, tmp_path / "wanted.csv")
    with zipfile.ZipFile(written("zip", predictions, tmp_path)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        rows = READ["csv"](archive.read("results.csv"))
        assert [told(row) for row in rows] == MARKS
        assert rows == READ["csv"]((tmp_path / "wanted.csv").read_bytes())
        assert archive.read("failures.csv") == FAILURES
        report = archive.read("report.html").decode()
        pictures = [name for name in names if name.startswith("wafers/")]
        assert all(archive.read(name).startswith(b"\x89PNG\r\n") for name in pictures)
    assert "W0001" in report
    assert len(set(pictures)) == len(predictions)
    assert not any(".." in name or name.startswith("/") for name in names)


def test_pictures_are_small(predictions: list[Prediction]) -> None:
    for prediction in predictions:
        image = draw_overlay(prediction, _scale(prediction))
        assert image.shape[1] < 2 * PICTURE_PX
    assert _scale(load_predictor(threads=1).predict(make_wafer(1, 500))) == 1
