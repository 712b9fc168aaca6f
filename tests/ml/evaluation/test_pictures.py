"""Pictures are drawn from the report alone, the same every time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, cast

import numpy as np

from waferscope.ml.evaluation.pictures import (
    draw_confusion,
    draw_masks,
    draw_reliability,
    write_pictures,
)
from waferscope.ml.evaluation.tables import MASK_SETS

Report = dict[str, Any]


def test_the_same_report_gives_the_same_files(small_report: Report, tmp_path: Path) -> None:
    one, other = (write_pictures(small_report, tmp_path / name) for name in "ab")
    assert [p.name for p in one] == ["masks.svg", "reliability.svg", "confusion.svg"]
    for first, second in zip(one, other, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert ET.parse(first).getroot().tag.endswith("svg")


def test_without_real_wafers_masks_alone_are_drawn(small_report: Report, tmp_path: Path) -> None:
    part = {k: small_report[k] for k in ("synthetic", "noise")}
    assert [p.name for p in write_pictures(part, tmp_path)] == ["masks.svg"]


def test_marks_are_at_the_die_iou_of_the_classes_present(small_report: Report) -> None:
    axes = draw_masks(small_report).axes[0]
    names = list(small_report["synthetic"]["classes"])
    for container, key in zip(axes.containers, MASK_SETS, strict=True):
        line = cast(Any, container).lines[0]
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        drawn = {names[round(at)]: value for at, value in zip(x, y, strict=True)}
        classes = small_report[key]["classes"]
        assert drawn == {n: c["die_iou"]["value"] for n, c in classes.items() if c["wafers"]}


def test_the_diagram_shows_every_bin(small_report: Report) -> None:
    axes = draw_reliability(small_report).axes[0]
    for line, key in zip(axes.lines[1:], ("wm811k", "mixedwm38"), strict=True):
        bins = small_report[key]["reliability"]
        assert np.asarray(line.get_xdata()).tolist() == [b["confidence"] for b in bins]
        assert np.asarray(line.get_ydata()).tolist() == [b["right"] for b in bins]


def test_rows_of_the_confusion_add_up_to_one(small_report: Report) -> None:
    shares = np.asarray(draw_confusion(small_report["wm811k"]).axes[0].images[0].get_array())
    sums = shares.sum(axis=1)
    assert set(np.round(sums, 9)) == {0.0, 1.0}
