"""Folders of files named after wafers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_made import build_prediction
from waferscope.errors import FormatError
from waferscope.io.folder import FileNames, WaferFolder, name_of


def test_files_of_one_name_get_numbers(tmp_path: Path) -> None:
    folder = WaferFolder(tmp_path / "deep" / "maps")
    added = [("W1", ".a"), ("w1", ".a"), ("W1", ".b"), ("../W1", ".a"), ("", ".a")]
    paths = [folder.add(name, end, b"%d" % n) for n, (name, end) in enumerate(added)]
    assert [path.name for path in paths] == ["W1.a", "w1~2.a", "W1.b", "W1~3.a", "wafer.a"]
    assert [path.read_bytes() for path in paths] == [b"0", b"1", b"2", b"3", b"4"]
    assert {path.parent for path in paths} == {tmp_path / "deep" / "maps"}


def test_names_are_given_once_whatever_they_were() -> None:
    names = FileNames()
    wanted = ["W1", "W1", "W1~2", "w1", "W/1", "W_1"]
    taken = [names.take(name, ".png") for name in wanted]
    assert taken == ["W1.png", "W1~2.png", "W1_2.png", "w1~3.png", "W_1.png", "W_1~2.png"]
    assert names.take("W1", ".tif") == "W1.tif"


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("mine")
    with pytest.raises(FormatError, match="path that is free"):
        WaferFolder(tmp_path / "maps")


def test_wafers_and_predictions_are_named_alike() -> None:
    preds = build_prediction(wafer_id="W1", lot_id="L1")
    assert name_of(preds) == name_of(preds.wafer) == "L1_W1"
