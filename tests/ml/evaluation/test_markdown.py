"""The page holds every section that the report has, and its figures."""

from __future__ import annotations

import re
from typing import Any

import pytest

from waferscope.ml.evaluation.markdown import build_page
from waferscope.ml.evaluation.tables import shown

Report = dict[str, Any]
TITLES = {
    "synthetic": "Masks: synthetic",
    "plain": "Masks: plain shapes, by another generator",
    "synthetic_large": "Masks: synthetic, 129 to 300 dies a side",
    "composed": "Masks: mixtures of real patterns",
    "hand_checked": "Masks: hand-checked real wafers",
    "wm811k": "Labels: WM-811K",
    "mixedwm38": "Labels: MixedWM38",
    "noise": "False alarms",
    "symmetry": "The same wafer, turned and mirrored",
    "invariance": "The same wafer, elsewhere",
    "against": "Against tiny.onnx (tiny-1)",
}


def headings(page: str) -> list[str]:
    return re.findall(r"^## (.+)$", page, flags=re.MULTILINE)


def test_every_section_has_a_heading(small_report: Report) -> None:
    page = build_page(small_report, "A report")
    assert page.startswith("# A report\n")
    assert headings(page) == list(TITLES.values())
    assert "![" not in page


@pytest.mark.parametrize("left_out", TITLES)
def test_what_was_not_measured_is_not_shown(left_out: str, small_report: Report) -> None:
    part = {name: value for name, value in small_report.items() if name != left_out}
    assert headings(build_page(part, "x")) == [t for n, t in TITLES.items() if n != left_out]


def test_figures_are_the_reports(small_report: Report) -> None:
    page = build_page(small_report, "x")
    for figure in (
        small_report["wm811k"]["macro_f1"],
        small_report["wm811k"]["own_fit"]["ece"],
        small_report["mixedwm38"]["exact_match"],
        small_report["hand_checked"]["without_hard"]["mean_die_iou"],
        small_report["noise"]["false_alarms"],
        small_report["symmetry"]["dies_differing"],
        small_report["mixedwm38"]["contradictions"]["wafers"],
    ):
        assert shown(figure) in page
    assert small_report["model"]["graph"][:12] in page


def test_a_comparison_shows_what_matters(small_report: Report) -> None:
    page = build_page(small_report, "x").split("## Against")[1]
    names = re.findall(r"^\| ([\w.+-]+) \|", page, flags=re.MULTILINE)
    assert "wm811k.macro_f1" in names
    assert "synthetic.classes.edge.die_iou" in names
    assert "wm811k.recall.Loc" in names
    assert len(names) < 80


def test_pictures_lie_where_they_are_said_to(small_report: Report) -> None:
    links = re.findall(r"\]\((.+?)\)", build_page(small_report, "x", "images/results"))
    assert links == [f"images/results/{n}.svg" for n in ("masks", "confusion", "reliability")]


def test_the_model_without_such_wafers_has_its_place(small_report: Report) -> None:
    score = {"value": 0.81, "low": 0.8, "high": 0.82}
    section = {
        "model": {"version": "transfer-100"},
        "exact_match": score,
        "macro_f1": score,
        "by_patterns": {"2": {"wafers": 7, "exact_match": score}},
        "f1": {"Loc": score},
    }
    page = build_page({**small_report, "transfer": section}, "x")
    assert "## MixedWM38 without its wafers" in page
    assert "transfer-100" in page
    assert "| 2 | 7 | 0.810 (0.800 to 0.820) |" in page


def test_a_peer_has_its_place(small_report: Report) -> None:
    score = {"value": 0.8, "low": 0.7, "high": 0.9}
    gain = {"value": 0.03, "low": 0.01, "high": 0.05, "better": 0.99}
    peer = {
        "name": "ResNet-18 at 64x64",
        "macro_f1": score,
        "most_likely": score,
        "gain": gain,
    }
    page = build_page({**small_report, "peer": peer}, "x")
    assert "ResNet-18 at 64x64, trained on the same split" in page
    assert "0.030 (0.010 to 0.050) more" in page
