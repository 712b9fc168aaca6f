"""The card shows the figures of the report, and what the file says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.ml.small import CLASSES, PATTERNS
from tests.tiny_model import build_tiny_model
from waferscope.infer import ModelInfo, load_predictor
from waferscope.ml.card import LIMITS, REAL_LIMITS, build_card, build_figures, write_card

Figure = dict[str, float | None]


def figure(value: float | None) -> Figure:
    return {"value": value, "low": value, "high": value}


def masks(first: float, wafers: int) -> dict[str, Any]:
    classes = {
        name: {"die_iou": figure(first + n / 100), "wafers": 5 if name != "random" else 0}
        for n, name in enumerate(CLASSES)
    }
    return {"wafers": wafers, "classes": classes, "mean_die_iou": figure(first + 0.5)}


REPORT: dict[str, Any] = {
    "synthetic": masks(0.111, 1000),
    "composed": masks(0.333, 800),
    "hand_checked": masks(0.222, 329),
    "noise": {"wafers": 2000, "false_alarms": figure(0.0123)},
    "symmetry": {"wafers": 160, "dies_differing": figure(0.0045)},
    "wm811k": {
        "wafers": 12167,
        "macro_f1": figure(0.8765),
        "accuracy": figure(0.9512),
        "recall": {
            **{name: figure(0.2 + n / 10) for n, name in enumerate(PATTERNS)},
            "none": figure(0.987),
        },
        "defects_called_none": figure(0.0431),
        "ece": figure(0.0271),
        "perfect_ece": 0.0061,
    },
    "mixedwm38": {
        "wafers": 5491,
        "exact_match": figure(0.9349),
        "by_patterns": {
            "0": {"exact_match": figure(1.0)},
            "2": {"exact_match": figure(0.912)},
        },
    },
    "peer": {
        "name": "A plain classifier",
        "macro_f1": figure(0.851),
        "gain": {**figure(0.0255), "better": 0.99},
    },
    "transfer": {"exact_match": figure(0.8123)},
    "export_agreement": 0.9996,
    "quantisation_loss": 0.0019,
}


def info_of(tmp_path: Path, **changes: Any) -> ModelInfo:
    path = build_tiny_model(tmp_path / "tiny.onnx", overrides=changes)
    return load_predictor(path, threads=1).model


def card(tmp_path: Path, report: Mapping[str, Any]) -> str:
    written = write_card(info_of(tmp_path), report, tmp_path / "CARD.md")
    return written.read_text(encoding="utf-8")


def test_every_figure_is_the_reports(tmp_path: Path) -> None:
    text = card(tmp_path, REPORT)
    rows = dict(re.findall(r"^\| (\w+) \| (.+) \|$", text, flags=re.M))
    for n, name in enumerate(CLASSES):
        values = [first + n / 100 for first in (0.111, 0.333, 0.222)]
        expected = ["absent" if name == "random" else f"{value:.3f}" for value in values]
        assert rows[name] == " | ".join(expected)
    assert "synthetic (1,000 wafers)" in text
    for said in (
        "macro-F1 over 9 labels **0.876 (0.876 to 0.876)**, accuracy 0.951",
        "called none 0.043, ECE 0.027 (a perfect model: 0.006)",
        "Center 0.200, Donut 0.300",
        "none 0.987",
        "exact match **0.935 (0.935 to 0.935)** (by number of patterns: 0: 1.000, 2: 0.912)",
        "2,000 wafers of pure noise: a defect is reported on 0.012",
        "when turned or mirrored: 0.004",
        "A plain classifier on the same split: macro-F1 0.851",
        "this model has 0.025 (0.025 to 0.025) more",
        "lost to int8: 0.002",
        "| MixedWM38 exact match | at least 0.975 | 0.935 (0.935 to 0.935) | missed |",
        "| noise wafers with a reported defect | at most 0.015 | 0.012 (0.012 to 0.012) | met |",
    ):
        assert said in text


def test_the_card_says_what_the_file_is(tmp_path: Path) -> None:
    text = card(tmp_path, REPORT)
    assert text.startswith("# Model card: WaferScope tiny-1\n")
    size = (tmp_path / "tiny.onnx").stat().st_size
    assert f"box filter, none, {size / 1e6:.1f} MB" in text
    for said in (*CLASSES, *PATTERNS, "- synthetic: 0", "0" * 64, "0" * 40, "- Made for tests."):
        assert said in text
    assert "draws the 24 worst validation wafers" in text


def test_a_model_of_synthetic_wafers_names_no_public_set(tmp_path: Path) -> None:
    drawn = {k: REPORT[k] for k in ("synthetic", "noise", "symmetry")}
    info = info_of(tmp_path, training_data={"recipe": "x", "sources": ["synthetic"]}, notices=[])
    text = build_card(info, drawn)
    for word in ("WM-811K training", "MixedWM38 training", "Jang", *REAL_LIMITS):
        assert word not in text
    assert "Synthetic wafers with exact masks." in text
    assert "- None: no public wafer was trained on." in text
    assert "sources" not in text
    assert all(f"- {line}" in text for line in LIMITS)


def test_a_model_of_real_wafers_says_so(tmp_path: Path) -> None:
    sources = {"sources": ["synthetic", "WM-811K"]}
    text = build_card(info_of(tmp_path, training_data=sources), REPORT)
    assert "WM-811K training split with labels and derived masks. No validation wafer" in text
    assert "MixedWM38 training" not in text
    assert all(f"- {line}" in text for line in (*LIMITS, *REAL_LIMITS))
    silent = build_card(info_of(tmp_path), REPORT)
    assert "MixedWM38 training split" in silent


def test_a_figure_of_another_version_says_so() -> None:
    def told(version: str) -> str:
        peer = {**REPORT["peer"], "version": version}
        return build_figures({**REPORT, "model": {"version": "0.1.0"}, "peer": peer})

    assert "version 0.0.9 of this model has" in told("0.0.9")
    assert "; this model has" in told("0.1.0")


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        ("hand_checked", "hand-checked"),
        ("composed", "mixtures of real patterns ("),
        ("wm811k", "WM-811K val"),
        ("mixedwm38", "MixedWM38 val"),
        ("peer", "plain classifier"),
        ("transfer", "with the habits of MixedWM38"),
        ("export_agreement", "those of the torch one: 0.9996"),
        ("quantisation_loss", "lost to int8"),
    ],
)
def test_each_part_stands_alone(left_out: str, words: str) -> None:
    assert words in build_figures(REPORT)
    part = build_figures({name: value for name, value in REPORT.items() if name != left_out})
    assert words not in part
    assert "synthetic (1,000 wafers)" in part
