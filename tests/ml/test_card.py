"""The card shows the figures of the file's own metadata, and none that are not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.ml.small import CLASSES, PATTERNS
from tests.tiny_model import build_tiny_model
from waferscope.infer import load_predictor
from waferscope.ml.card import LIMITS, build_card, build_figures, write_card


def masks(first: float, wafers: int) -> dict[str, Any]:
    iou: dict[str, float | None] = {name: first + n / 100 for n, name in enumerate(CLASSES)}
    recall: dict[str, float | None] = dict.fromkeys(CLASSES, 0.5)
    iou["random"] = recall["random"] = None
    return {"wafers": wafers, "die_iou": iou, "recall": recall, "mean_die_iou": first + 0.5}


METRICS: dict[str, Any] = {
    "synthetic": masks(0.111, 1000),
    "hand_checked": masks(0.222, 329),
    "noise": {"wafers": 500, "false_alarms": 0.0123},
    "wm811k": {
        "wafers": 12167,
        "macro_f1": 0.8765,
        "accuracy": 0.9512,
        "recall": {**{name: 0.2 + n / 10 for n, name in enumerate(PATTERNS)}, "none": 0.987},
        "defects_called_none": 0.0431,
        "ece": 0.0271,
    },
    "mixedwm38": {"wafers": 5491, "exact_match": 0.9349, "by_count": {"0": 1.0, "2": 0.912}},
    "quantisation_loss": 0.0019,
}


def card(tmp_path: Path, metrics: dict[str, Any]) -> str:
    path = build_tiny_model(tmp_path / "tiny.onnx", overrides={"metrics": metrics})
    written = write_card(load_predictor(path, threads=1).model, tmp_path / "CARD.md")
    return written.read_text(encoding="utf-8")


def test_every_figure_is_the_metadatas(tmp_path: Path) -> None:
    text = card(tmp_path, METRICS)
    rows = dict(re.findall(r"^\| (\w+) \| (.+) \|$", text, flags=re.M))
    for name in CLASSES:
        expected = [METRICS[key]["die_iou"][name] for key in ("synthetic", "hand_checked")]
        shown = ["absent" if value is None else f"{value:.3f}" for value in expected]
        assert rows[name] == " | ".join(shown)
    assert "| **mean of the classes present** | **0.611** | **0.722** |" in text
    assert "synthetic (1000 wafers) | hand-checked (329 wafers)" in text
    for figure in (
        "macro-F1 over 9 classes **0.876**, accuracy 0.951",
        "called none 0.043, ECE 0.027",
        "Center 0.200, Donut 0.300",
        "none 0.987",
        "exact match **0.935** (by number of patterns: 0: 1.000, 2: 0.912)",
        "500 wafers of pure noise: a defect is reported on 0.012",
        "lost to int8: 0.002",
    ):
        assert figure in text


def test_the_card_says_what_the_file_is(tmp_path: Path) -> None:
    text = card(tmp_path, METRICS)
    assert text.startswith("# Model card: WaferScope tiny-1\n")
    size = (tmp_path / "tiny.onnx").stat().st_size
    assert f"box filter, none, {size / 1e6:.1f} MB" in text
    for said in (*CLASSES, *PATTERNS, "- synthetic: 0", "0" * 64, "0" * 40, "- Made for tests."):
        assert said in text
    assert all(f"- {line}" in text for line in LIMITS)


def test_what_was_not_measured_is_not_shown(tmp_path: Path) -> None:
    text = card(tmp_path, {})
    assert "Not measured." in text
    for word in ("macro-F1", "exact match", "pure noise", "int8:", "| edge |"):
        assert word not in text


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("hand_checked", "hand-checked"),
        ("wm811k", "WM-811K val"),
        ("mixedwm38", "MixedWM38 val"),
        ("noise", "pure noise"),
        ("quantisation_loss", "lost to int8"),
    ],
)
def test_each_part_stands_alone(left_out: str, words: str, tmp_path: Path) -> None:
    assert words in card(tmp_path, METRICS)
    part = card(tmp_path, {name: value for name, value in METRICS.items() if name != left_out})
    assert words not in part
    assert "synthetic (1000 wafers)" in part


def test_tables_are_whole(tmp_path: Path) -> None:
    lines = [line for line in card(tmp_path, METRICS).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(CLASSES) + 1
    assert {line.count("|") for line in lines} == {4}


def test_building_needs_no_writing(tmp_path: Path) -> None:
    info = load_predictor(build_tiny_model(tmp_path / "tiny.onnx"), threads=1).model
    assert build_figures(info) in build_card(info)
