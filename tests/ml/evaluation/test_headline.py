"""The rows that a model is judged by: found in the report, held against what is asked."""

from __future__ import annotations

from typing import Any

import pytest

from waferscope.ml.evaluation.headline import ROWS, headline, headline_rows, headline_table


def figure(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": value, "high": value}


def test_a_report_has_every_row(small_report: dict[str, Any]) -> None:
    found = headline(small_report)
    assert list(found) == [".".join(row.place) for row in ROWS]
    assert found["noise.false_alarms"] == small_report["noise"]["false_alarms"]


@pytest.mark.parametrize(
    ("place", "value", "verdict"),
    [
        (("synthetic", "mean_die_iou"), 0.90, "met"),
        (("synthetic", "mean_die_iou"), 0.8999, "missed"),
        (("noise", "false_alarms"), 0.015, "met"),
        (("noise", "false_alarms"), 0.0151, "missed"),
    ],
)
def test_a_figure_is_held_against_its_limit(
    place: tuple[str, str], value: float, verdict: str
) -> None:
    rows = headline_rows({place[0]: {place[1]: figure(value)}})
    said = {tuple(row[2:]) for row in rows}
    assert (f"{value:.3f} ({value:.3f} to {value:.3f})", verdict) in said
    assert ("not measured", "") in said


def test_what_is_not_there_is_not_made_up() -> None:
    assert headline({}) == {}
    assert {row[2] for row in headline_rows({})} == {"not measured"}
    assert headline_rows({"wm811k": {"ece": figure(None)}})[5][2] == "not measured"


def test_the_model_without_labels_has_a_row_where_it_is_reported() -> None:
    rows = headline_rows({"transfer": {"exact_match": figure(0.7)}})
    assert rows[-1][1:] == ["at least 0.8", "0.700 (0.700 to 0.700)", "missed"]
    assert not any("transfer" in row[0] for row in headline_rows({}))
    assert headline({"transfer": {"exact_match": figure(0.7)}}) == {}  # of another file


@pytest.mark.parametrize(("low", "verdict"), [(0.001, "met"), (0.0, "missed"), (-0.01, "missed")])
def test_a_gain_has_to_be_sure(low: float, verdict: str) -> None:
    rows = headline_rows({"peer": {"gain": {"value": 0.05, "low": low, "high": 0.1}}})
    assert rows[-1][1:] == ["surely above 0", f"0.050 ({low:.3f} to 0.100)", verdict]


def test_the_table_says_which_way_is_better() -> None:
    lines = headline_table({})
    assert len(lines) == len(ROWS) + 3
    assert "| noise wafers with a reported defect | at most 0.015 | not measured |  |" in lines
    assert "| MixedWM38 exact match | at least 0.975 | not measured |  |" in lines


@pytest.mark.parametrize(("version", "said"), [("2.0", ""), ("1.9", ", measured with 1.9")])
def test_a_figure_of_another_version_says_so(version: str, said: str) -> None:
    section = {"gain": {"value": 0.05, "low": 0.01, "high": 0.1}, "version": version}
    rows = headline_rows({"model": {"version": "2.0"}, "peer": section})
    assert rows[-1][2:] == [f"0.050 (0.010 to 0.100){said}", "met"]
