"""A model file is measured whole, and against another on the same wafers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.ml.small import PATTERNS, write_data
from tests.tiny_model import build_tiny_model
from waferscope.errors import ConfigError, ModelError
from waferscope.infer import load_predictor
from waferscope.ml.evaluate import SCHEMA, Beside, evaluate
from waferscope.ml.evaluation.exam import Exam
from waferscope.ml.evaluation.masks import mean_die_iou
from waferscope.ml.metrics import count_pairs
from waferscope.ml.truth import TEST_SEED, synthetic

EXAM = Exam(
    synthetic=8,
    plain=4,
    large=0,
    composed=4,
    noise=6,
    fit_synthetic=3,
    fit_plain=3,
    fit_noise=4,
    turned=2,
    moved=0,
)
CALIBRATED = {"mask_thresholds": [0.4] * 8}


def test_a_file_is_measured_on_every_set(tmp_path: Path, rng: np.random.Generator) -> None:
    path = build_tiny_model(tmp_path / "tiny.onnx", overrides=CALIBRATED)
    said: list[str] = []
    report = evaluate(path, write_data(tmp_path / "data", rng), exam=EXAM, say=said.append)
    assert report["schema"] == SCHEMA
    assert report["model"]["version"] == "tiny-1"
    sizes = {k: v["wafers"] for k, v in report.items() if k not in ("schema", "model")}
    assert sizes == {
        "synthetic": 8,
        "plain": 4,
        "composed": 4,
        "hand_checked": 8,
        "noise": 6,
        "wm811k": 16,
        "mixedwm38": 9,
        "symmetry": 1,
    }
    assert set(report["wm811k"]["recall"]) == {*PATTERNS, "none"}
    assert len(said) == 4
    assert json.loads(json.dumps(report)) == report


def test_generated_wafers_are_scored_as_they_are_predicted(tmp_path: Path) -> None:
    """The whole way again, with the predictor's own masks."""
    path = build_tiny_model(tmp_path / "tiny.onnx", overrides=CALIBRATED)
    found = evaluate(path, exam=EXAM)["synthetic"]
    predictor = load_predictor(path, threads=1)
    counts = np.zeros((8, 3), np.int64)
    for truth in synthetic(TEST_SEED, EXAM.synthetic):
        preds = predictor.predict(truth.wafer).masks
        counts += count_pairs(preds.reshape(8, -1), truth.masks.reshape(8, -1))
    assert found["mean_die_iou"]["value"] == pytest.approx(
        float(mean_die_iou(counts.astype(np.float64)))
    )
    both, said, there = counts.T
    edge = found["classes"]["edge"]
    assert edge["precision"]["value"] == pytest.approx(both[0] / said[0])
    assert edge["recall"]["value"] == pytest.approx(both[0] / there[0])


def test_without_real_wafers_their_figures_are_left_out(tmp_path: Path) -> None:
    report = evaluate(build_tiny_model(tmp_path / "tiny.onnx", overrides=CALIBRATED), exam=EXAM)
    assert set(report) == {"schema", "model", "synthetic", "plain", "noise", "symmetry"}


def test_a_neutral_file_is_measured_with_thresholds_of_its_own(tmp_path: Path) -> None:
    path = build_tiny_model(tmp_path / "tiny.onnx")
    report = evaluate(path, exam=EXAM)
    assert report["model"]["calibration"] == "fitted for this report"
    assert set(report["model"]["mask_thresholds"].values()) != {0.5}
    assert load_predictor(path, threads=1).model.mask_thresholds == (0.5,) * 8


def test_another_model_is_compared_wafer_by_wafer(tmp_path: Path) -> None:
    one = build_tiny_model(tmp_path / "one.onnx", overrides=CALIBRATED)
    other = build_tiny_model(tmp_path / "other.onnx", overrides={"mask_thresholds": [1.0] * 8})
    report = evaluate(one, exam=EXAM, beside=Beside(against=other))
    against = report["against"]
    assert against["model"]["file"] == "other.onnx"
    gain = against["gains"]["synthetic"]["mean_die_iou"]
    alone = evaluate(other, exam=EXAM)["synthetic"]["mean_die_iou"]["value"]
    assert gain["value"] == pytest.approx(report["synthetic"]["mean_die_iou"]["value"] - alone)
    assert gain["better"] > 0.9
    assert gain["low"] <= gain["value"] <= gain["high"]


@pytest.mark.parametrize("beside", [Beside(peer=Path("p")), Beside(transfer=Path("t"))])
def test_what_needs_real_wafers_asks_for_them(tmp_path: Path, beside: Beside) -> None:
    path = build_tiny_model(tmp_path / "one.onnx")
    with pytest.raises(ConfigError, match=r"got none\. Name their folder with --data\."):
        evaluate(path, exam=EXAM, beside=beside)


@pytest.mark.parametrize(
    "beside", [Beside(against=Path("none.onnx")), Beside(transfer=Path("none.onnx"))]
)
def test_a_model_to_measure_beside_is_looked_for_first(tmp_path: Path, beside: Beside) -> None:
    with pytest.raises(ConfigError, match=r"measure beside, got no file at none\.onnx"):
        evaluate(tmp_path / "nor this", tmp_path, exam=EXAM, beside=beside)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        evaluate(tmp_path / "none.onnx", exam=EXAM)


def test_the_released_model_is_measured_as_it_ships() -> None:
    report = evaluate(exam=replace(EXAM, synthetic=12))
    assert report["model"]["calibration"] == "its own"
    assert report["synthetic"]["mean_die_iou"]["value"] > 0.3
