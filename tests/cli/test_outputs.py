"""Result files: what they are called, and that they come whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hand_made import build_prediction
from tests.io.klarf.klarf_text import Part, Spot, flat, predicted
from waferscope.cli.outputs import FORMATS, open_outputs, parse_formats
from waferscope.domain.inking import BinMapping
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError
from waferscope.io import WRITERS, read

BINS = BinMapping({"particle": 21})


def test_formats_are_read_in_any_case_and_once() -> None:
    assert parse_formats(" CSV,html ,csv") == ("csv", "html")
    with pytest.raises(InputError, match="docx"):
        parse_formats("docx")


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_nothing_but_overlays_stands_before_the_end(tmp_path: Path) -> None:
    whole = ("csv", "json", "parquet", "coco", "coco_polygons", "html")
    with open_outputs(tmp_path, tuple(FORMATS), BINS) as results:
        row = results.add(build_prediction(wafer_id="W1"))
        assert row.wafer_id == "W1"
        assert files(tmp_path) == {
            "overlays/W1.png",
            "masks/W1.masks.png",
            "klarf/W1.klarf",
            "e142/W1.e142.xml",
            "g85/W1.g85.xml",
            "sinf/W1.sinf",
        }
    assert len(files(tmp_path)) == 6 + len(whole)


def test_every_format_of_predictions_is_offered() -> None:
    assert set(FORMATS) == {name for name, takes in WRITERS if takes == "predictions"} | {"html"}


@pytest.mark.parametrize("name", ["e142", "g85", "sinf"])
def test_inked_maps_hold_the_bins(tmp_path: Path, name: str) -> None:
    square = (slice(5, 8), slice(5, 8))
    with open_outputs(tmp_path, (name,), BinMapping({"particle": 21}, 99, 1)) as results:
        results.add(build_prediction({"particle": square}, wafer_id="W1"))
    (path,) = (tmp_path / name).iterdir()
    (wafer,) = read(path)
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert (wafer.bins.hard[square] == 21).all()
    assert int((wafer.bins.hard == 99).sum()) == 16
    assert (wafer.dies[4:9, 4:9] == 2).all()


def test_formats_of_bins_need_bins(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"in e142, sinf.*--bins"),
        open_outputs(tmp_path / "out", ("csv", "e142", "sinf")),
    ):
        pass
    assert not (tmp_path / "out").exists()


def klarf_wafers(name: str, count: int) -> list[WaferMap]:
    data = flat([Part(f"{name}{n}", [Spot(0, 0)], [(0, 0), (1, 0)]) for n in range(count)])
    wafers = read(data)
    assert all(w.source is not None for w in wafers)
    return [replace(w, source=replace(w.source, name=f"lot.zip:{name}.000")) for w in wafers]  # type: ignore[type-var]


def test_a_klarf_file_comes_back_whole_and_other_wafers_alone(tmp_path: Path) -> None:
    with open_outputs(tmp_path, ("klarf",)) as results:
        for wafer in (*klarf_wafers("A", 2), *klarf_wafers("B", 1), *klarf_wafers("A", 1)):
            results.add(predicted(wafer, {}))
        results.add(build_prediction(wafer_id="W1"))
    assert results.refused == 0
    assert files(tmp_path) == {f"klarf/{n}" for n in ("A.000", "B.000", "A~2.000", "W1.klarf")}
    assert [w.wafer_id for w in read(tmp_path / "klarf" / "A.000")] == ["A0", "A1"]
    assert [w.wafer_id for w in read(tmp_path / "klarf" / "A~2.000")] == ["A0"]


def test_what_one_format_cannot_hold_stays_out_of_that_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_outputs(tmp_path, ("csv", "klarf")) as results:
        for name in ('a"b', "W1"):
            results.add(build_prediction(wafer_id=name))
    assert results.refused == 1
    assert files(tmp_path) == {"predictions.csv", "klarf/W1.klarf"}
    assert 'not written: a"b: Expected names' in capsys.readouterr().err


def feed_and_fail(folder: Path) -> None:
    with open_outputs(folder, ("csv", "html")) as results:
        results.add(build_prediction())
        raise KeyboardInterrupt


def test_a_stopped_run_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        feed_and_fail(tmp_path)
    assert files(tmp_path) == set()


def test_wafers_of_one_name_get_files_of_their_own(tmp_path: Path) -> None:
    with open_outputs(tmp_path, ("png",)) as results:
        for name in ("W1", "w1", "W1", "W/1"):
            results.add(build_prediction(wafer_id=name))
        assert results.report is None
    assert {name.lower() for name in files(tmp_path)} == {
        "overlays/w1.png",
        "overlays/w1~2.png",
        "overlays/w1~3.png",
        "overlays/w_1.png",
    }


def test_coco_names_the_overlays_beside_it(tmp_path: Path) -> None:
    with open_outputs(tmp_path, ("png", "coco", "coco_polygons")) as results:
        for lot, name in (("A", "01"), ("B", "01"), ("A", "01"), ("a", "01")):
            results.add(build_prediction(wafer_id=name, lot_id=lot))
    for path in tmp_path.glob("*.coco.json"):
        named = [image["file_name"] for image in json.loads(path.read_bytes())["images"]]
        assert named == ["A_01.png", "B_01.png", "A_01~2.png", "a_01~3.png"]
        assert files(tmp_path / "overlays") == set(named)


def test_the_report_counts_every_wafer(tmp_path: Path) -> None:
    with open_outputs(tmp_path, ("html",)) as results:
        for index in range(3):
            results.add(build_prediction(wafer_id=f"W{index}"))
    assert results.report == tmp_path / "report.html"
    assert "All 3 wafers" in results.report.read_text(encoding="utf-8")
