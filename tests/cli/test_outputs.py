"""Result files: what they are called, and that they come whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_made import build_prediction
from waferscope.cli.outputs import FORMATS, open_outputs, parse_formats
from waferscope.errors import InputError


def test_formats_are_read_in_any_case_and_once() -> None:
    assert parse_formats(" CSV,html ,csv") == ("csv", "html")
    with pytest.raises(InputError, match="docx"):
        parse_formats("docx")


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_nothing_but_overlays_stands_before_the_end(tmp_path: Path) -> None:
    with open_outputs(tmp_path, tuple(FORMATS)) as results:
        row = results.add(build_prediction(wafer_id="W1"))
        assert row.wafer_id == "W1"
        assert files(tmp_path) == {"overlays/W1.png"}
    assert len(files(tmp_path)) == 6


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


def test_the_report_counts_every_wafer(tmp_path: Path) -> None:
    with open_outputs(tmp_path, ("html",)) as results:
        for index in range(3):
            results.add(build_prediction(wafer_id=f"W{index}"))
    assert results.report == tmp_path / "report.html"
    assert "All 3 wafers" in results.report.read_text(encoding="utf-8")
