"""Files of results that are written wafer by wafer are those that the library writes at once."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.infer import load_predictor
from waferscope.io import write
from waferscope.io.image import draw_overlay
from waferscope.service.jobs.sinks import PICTURE_PX, SINKS, _scale

FAILURES = b"position,wafer_map_id,error\n"


@pytest.fixture(scope="module")
def predictions() -> list[Prediction]:
    wafers = [make_wafer(seed, side) for seed, side in ((0, 24), (1, 33), (2, 24))]
    odd = make_wafer(0, 24, wafer_id="../é")
    return load_predictor(threads=1).predict([*wafers, odd, wafers[0]])


def written(name: str, predictions: list[Prediction], folder: Path) -> Path:
    sink = SINKS[name](folder)
    for prediction in predictions:
        sink.add(prediction)
    return sink.close(FAILURES)


@pytest.mark.parametrize("name", ["csv", "parquet", "json"])
def test_files_are_the_librarys(name: str, predictions: list[Prediction], tmp_path: Path) -> None:
    write(predictions, tmp_path / f"wanted.{name}")
    found = written(name, predictions, tmp_path)
    assert found.read_bytes() == (tmp_path / f"wanted.{name}").read_bytes()


def test_coco_is_the_librarys(predictions: list[Prediction], tmp_path: Path) -> None:
    write(predictions, tmp_path / "wanted.coco.json")
    found = json.loads(written("coco", predictions, tmp_path).read_bytes())
    assert found["annotations"]
    names = [image["file_name"] for image in found["images"]]
    assert len(set(names)) == len(names) == len(predictions)
    assert found == json.loads((tmp_path / "wanted.coco.json").read_bytes())


def test_the_zip_has_everything(predictions: list[Prediction], tmp_path: Path) -> None:
    write(predictions, tmp_path / "wanted.csv")
    with zipfile.ZipFile(written("zip", predictions, tmp_path)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert archive.read("results.csv") == (tmp_path / "wanted.csv").read_bytes()
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
