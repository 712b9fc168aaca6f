"""The public ``write``: a report for .html, everything else by the writers of ``io``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import waferscope
from tests.hand_made import build_prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError


@pytest.mark.parametrize("name", ["lot.html", "lot.HTM"])
def test_the_suffix_asks_for_the_report(tmp_path: Path, name: str) -> None:
    assert waferscope.write(build_prediction(lot_id="A7"), tmp_path / name) == [tmp_path / name]
    assert "Lot A7" in (tmp_path / name).read_text(encoding="utf-8")


def test_the_format_wins_over_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "lot.txt"
    waferscope.write((p for p in [build_prediction()]), str(path), format="html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_wafers_have_no_report(tmp_path: Path) -> None:
    wafer = WaferMap(np.ones((3, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="got a WaferMap"):
        waferscope.write([wafer], tmp_path / "lot.html")


def test_other_formats_go_to_io(tmp_path: Path) -> None:
    target = tmp_path / "lot.csv"
    assert waferscope.write([build_prediction(wafer_id="W7")], target) == [target]
    assert "W7" in (tmp_path / "lot.csv").read_text(encoding="utf-8")
