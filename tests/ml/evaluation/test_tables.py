"""Tables show the report's own figures, rounded, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from waferscope.ml.evaluation.tables import (
    MASK_SETS,
    SHOWN,
    checked_table,
    class_table,
    confusion_table,
    exact_table,
    iou_table,
    kind_table,
    label_table,
    plain,
    shown,
)

Report = dict[str, Any]


def cells(lines: list[str]) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line]
    return {row[0]: row[1:] for row in rows}


def test_numbers_are_rounded_and_nothing_is_a_dash() -> None:
    assert plain(0.12345) == "0.123"
    assert plain(0.000123, 5) == "0.00012"
    assert plain(None) == shown(None) == "–"
    assert shown({"value": None, "low": None, "high": None}) == "–"
    assert shown({"value": 0.5, "low": None, "high": None}) == "0.500"


def test_the_small_table_has_every_set_side_by_side(small_report: Report) -> None:
    rows = cells(iou_table(small_report))
    assert rows["die IoU (pooled)"] == [
        f"{MASK_SETS[name]} ({small_report[name]['wafers']} wafers)" for name in SHOWN
    ]
    for name, one in small_report["hand_checked"]["classes"].items():
        expected = plain(one["die_iou"]["value"]) if one["wafers"] else "absent"
        assert rows[name][SHOWN.index("hand_checked")] == expected
    assert "absent" in rows["lithography"]
    mean = small_report["synthetic"]["mean_die_iou"]
    assert rows["**mean of the classes present**"][0] == f"**{shown(mean)}**"


def test_a_section_is_shown_class_by_class(small_report: Report) -> None:
    section = small_report["synthetic"]
    rows = cells(class_table(section))
    for name, one in section["classes"].items():
        figures = [shown(one[k]) for k in ("die_iou", "precision", "recall", "wafer_iou")]
        assert rows[name] == [str(one["wafers"]), *figures]


@pytest.mark.parametrize(
    ("section", "build"),
    [
        ("synthetic", lambda s: kind_table(s, "by_side", "side")),
        ("hand_checked", checked_table),
        ("wm811k", label_table),
        ("wm811k", confusion_table),
        ("mixedwm38", lambda s: exact_table(s["by_combination"], "combination")),
    ],
)
def test_tables_are_whole(
    section: str, build: Callable[[Report], list[str]], small_report: Report
) -> None:
    lines = build(small_report[section])
    assert lines[-1] == ""
    assert len(lines) > 3
    assert len({line.count("|") for line in lines[:-1]}) == 1


def test_wafers_of_a_label_add_up_in_its_row(small_report: Report) -> None:
    rows = cells(confusion_table(small_report["wm811k"]))
    center = sum(int(cell) for cell in rows["Center"])
    assert center == 4
