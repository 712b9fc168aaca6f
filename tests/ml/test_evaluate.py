"""Figures counted by hand, and thresholds that never see the wafers they are scored on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_f1_score,
    multilabel_exact_match,
)

import waferscope.ml.evaluate as module
from tests.ml.scripted import Probs, scripted
from tests.ml.small import CLASSES, PATTERNS, write_data
from tests.tiny_model import build_tiny_model
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.ml.calibrate import GRID, PatternScores, decide, fit_patterns
from waferscope.ml.evaluate import (
    checked_report,
    die_scores,
    evaluate,
    expected_calibration_error,
    fit_masks,
    mask_report,
    noise_report,
    pattern_report,
    pattern_scores,
)
from waferscope.ml.truth import TEST_SEED, Truth, labelled, synthetic

EDGE = CLASSES.index("edge")
Row = npt.NDArray[np.bool_]


def strip(name: str, lot: str, there: float, elsewhere: float) -> tuple[Truth, Probs]:
    """A hundred failing dies of which three rows are `edge`, and what is said of five."""
    wafer = WaferMap(np.full((10, 10), 2, np.uint8), wafer_id=name, lot_id=lot)
    masks = np.zeros((8, 10, 10), bool)
    masks[EDGE, :3] = True
    probs = np.zeros((8, 10, 10), np.float32)
    probs[EDGE, :3], probs[EDGE, 3:5] = there, elsewhere
    return Truth(wafer, masks), probs


def test_masks_are_scored_pooled_over_wafers() -> None:
    """50 dies said of 30, then 30 of 30 of which 10 are ignored."""
    first, said = strip("a", "1", 0.9, 0.9)
    second, other = strip("b", "1", 0.9, 0.1)
    ignore = np.zeros((10, 10), bool)
    ignore[0] = True
    predictor = scripted({"a": said, "b": other})
    report = mask_report(predictor, [first, Truth(second.wafer, second.masks, ignore)])
    assert report["wafers"] == 2
    assert report["die_iou"]["edge"] == pytest.approx((30 + 20) / (50 + 20))
    assert report["precision"]["edge"] == pytest.approx(50 / 70)
    assert report["recall"]["edge"] == 1.0
    assert report["die_iou"]["ring"] is None
    assert report["mean_die_iou"] == pytest.approx(50 / 70)


def test_a_class_marked_where_there_is_none_scores_0_and_leaves_the_mean() -> None:
    truth, said = strip("a", "1", 0.9, 0.0)
    said[CLASSES.index("random")] = 0.8
    report = mask_report(scripted({"a": said}), [truth])
    assert report["die_iou"]["random"] == 0.0
    assert report["recall"]["random"] is None
    assert report["mean_die_iou"] == 1.0


def test_hand_checked_masks_are_scored_with_the_other_halfs_thresholds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lot 1 is parted below 0.3 and lot 2 above 0.5: each other's thresholds fail them both."""
    made = [strip("a", "1", 0.3, 0.1), strip("b", "2", 0.9, 0.5), strip("c", "1", 0.3, 0.1)]
    truths = [truth for truth, _ in made]
    predictor = scripted({truth.wafer.wafer_id: said for truth, said in made})

    def drawn(*_: object) -> Iterator[Truth]:
        yield Truth(WaferMap(np.full((9, 9), 2, np.uint8)), np.zeros((8, 9, 9), bool))

    monkeypatch.setattr(module, "synthetic", drawn)
    report = checked_report(predictor, truths)
    # Lot 1 is not marked at all (60 dies missed), lot 2 on 50 dies of which 30 are right.
    assert report["wafers"] == 3
    assert report["die_iou"]["edge"] == pytest.approx(30 / (60 + 50))
    assert report["recall"]["edge"] == pytest.approx(30 / 90)
    assert report["precision"]["edge"] == pytest.approx(30 / 50)
    own = fit_masks([die_scores(predictor, truths[::2])])[EDGE]
    assert 0.1 < own <= 0.3


def test_die_scores_are_those_of_failing_dies_that_are_scored(rng: np.random.Generator) -> None:
    dies = rng.integers(0, 3, (12, 9)).astype(np.uint8)
    probs = rng.random((8, 12, 9)).astype(np.float32) * (dies > 0)
    masks, ignore = rng.random((8, 12, 9)) < 0.3, rng.random((12, 9)) < 0.3
    truth = Truth(WaferMap(dies, wafer_id="a"), masks, ignore)
    scores = die_scores(scripted({"a": probs}), [truth])
    places = [at for at in np.ndindex(12, 9) if dies[at] == 2 and not ignore[at]]
    np.testing.assert_array_equal(scores.probs, np.array([probs[:, r, c] for r, c in places]).T)
    np.testing.assert_array_equal(scores.truth, np.array([masks[:, r, c] for r, c in places]).T)


def test_false_alarms_are_wafers_with_a_defect() -> None:
    wafers = [WaferMap(np.full((9, 9), 2, np.uint8), wafer_id=n) for n in "abcd"]
    said = np.zeros((8, 9, 9), np.float32)
    said[EDGE, :2] = 0.9
    specks = np.zeros((8, 9, 9), np.float32)
    specks[EDGE, 0, 0] = 0.9  # a region of one die is no defect
    report = noise_report(scripted({"b": said, "c": specks}), wafers)
    assert report == {"wafers": 4, "false_alarms": 0.25}
    assert noise_report(scripted({}), [])["false_alarms"] is None


def test_raw_scores_come_back_from_a_calibrated_file(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    data = write_data(tmp_path, rng)
    wafers = labelled(data / "wm811k" / "val.parquet")
    changed = {"pattern_calibration": {"temperature": [2.0] * 8, "bias": [0.5] * 8}}
    neutral = load_predictor(build_tiny_model(tmp_path / "a.onnx"), threads=1)
    calibrated = load_predictor(build_tiny_model(tmp_path / "b.onnx", overrides=changed), threads=1)
    one, other = (pattern_scores(p, wafers, single=True) for p in (neutral, calibrated))
    np.testing.assert_allclose(one.probs, other.probs, atol=1e-4)
    assert neutral.predict(wafers[0]).patterns != calibrated.predict(wafers[0]).patterns
    for row, wafer in zip(one.labels, wafers, strict=True):
        assert [PATTERNS[n] for n in np.flatnonzero(row)] == list(wafer.patterns or ())
    assert one.groups.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


def half(there: float, elsewhere: float, group: int, labels: Row) -> PatternScores:
    probs = np.where(labels, there, elsewhere)[:, None]
    groups = np.full(len(labels), group, np.int64)
    return PatternScores(probs, labels[:, None], groups, single=False)


def joined(*parts: PatternScores) -> PatternScores:
    probs = np.concatenate([part.probs for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    groups = np.concatenate([part.groups for part in parts])
    return PatternScores(probs, labels, groups, parts[0].single)


def test_patterns_are_scored_with_the_other_halfs_fit() -> None:
    """One half is parted below 0.3, the other above 0.5: by each other's cut all is wrong."""
    labels = np.arange(40) % 4 == 0
    low, high = half(0.3, 0.1, 0, labels), half(0.9, 0.5, 1, labels)
    report = pattern_report([joined(low, high)], ("A",))["mixedwm38"]
    # The low half is called none throughout (right on 30 of 40), the high one A (on 10 of 40).
    assert report["wafers"] == 80
    assert report["exact_match"] == pytest.approx(40 / 80)
    assert report["by_count"] == {"0": pytest.approx(30 / 60), "1": pytest.approx(10 / 20)}
    alike = joined(low, half(0.3, 0.1, 1, labels))
    assert pattern_report([alike], ("A",))["mixedwm38"]["exact_match"] == 1.0


def drawn(rng: np.random.Generator, *, single: bool, count: int = 160) -> PatternScores:
    truth = rng.integers(-1, 3, count)
    labels = truth[:, None] == np.arange(3)
    if not single:
        labels |= rng.random((count, 3)) < 0.2
    probs = np.clip(0.1 + 0.45 * labels + rng.normal(0, 0.15, labels.shape), 0.01, 0.99)
    return PatternScores(probs, labels, rng.integers(0, 10, count), single)


def test_figures_are_torchmetrics_of_the_cross_fitted_decisions(rng: np.random.Generator) -> None:
    sets = [drawn(rng, single=True), drawn(rng, single=False)]
    report = pattern_report(sets, ("A", "B", "C"))
    fits = [fit_patterns([s.halves()[other] for s in sets]) for other in (1, 0)]
    probs: list[npt.NDArray[np.float64]] = []
    over: list[npt.NDArray[np.float64]] = []
    for part, fit in zip(sets[0].halves(), fits, strict=True):
        probs.append(fit.calibrated(part.probs))
        over.append(probs[-1] / fit.thresholds)
    preds = decide(np.concatenate(over), np.ones(3))
    labels = np.concatenate([part.labels for part in sets[0].halves()])
    truth = np.where(labels.any(1), labels.argmax(1), -1)
    found = report["wm811k"]
    one, other = (torch.from_numpy(side + 1) for side in (preds, truth))
    macro = multiclass_f1_score(one, other, num_classes=4, average="macro")
    assert found["macro_f1"] == pytest.approx(float(macro), rel=1e-6)
    assert found["accuracy"] == pytest.approx(np.mean(preds == truth))
    assert found["recall"]["B"] == pytest.approx(np.mean(preds[truth == 1] == 1))
    assert found["recall"]["none"] == pytest.approx(np.mean(preds[truth == -1] == -1))
    assert found["called_none"]["C"] == pytest.approx(np.mean(preds[truth == 2] == -1))
    assert found["defects_called_none"] == pytest.approx(np.mean(preds[truth >= 0] == -1))
    shown = np.concatenate(probs)
    sure = [row[n] if n >= 0 else 1 - row.max() for row, n in zip(shown, preds, strict=True)]
    ece = binary_calibration_error(torch.tensor(sure), torch.tensor(preds == truth).int(), 15)
    assert found["ece"] == pytest.approx(float(ece), abs=1e-6)
    assert found["brier"]["A"] == pytest.approx(np.mean((shown[:, 0] - labels[:, 0]) ** 2))
    decided = np.concatenate(
        [f.calibrated(p.probs) >= f.thresholds for f, p in zip(fits, sets[1].halves(), strict=True)]
    )
    several = np.concatenate([part.labels for part in sets[1].halves()])
    exact = multilabel_exact_match(
        torch.from_numpy(decided).int(), torch.from_numpy(several).int(), num_labels=3
    )
    assert report["mixedwm38"]["exact_match"] == pytest.approx(float(exact))


def test_calibration_error_is_torchmetrics(rng: np.random.Generator) -> None:
    confidence = rng.random(500)
    right = rng.random(500) < confidence**1.5
    theirs = binary_calibration_error(
        torch.from_numpy(confidence), torch.from_numpy(right).int(), n_bins=15, norm="l1"
    )
    assert expected_calibration_error(confidence, right) == pytest.approx(float(theirs), abs=1e-6)
    assert expected_calibration_error(np.ones(3), np.ones(3, bool)) == 0.0


def test_a_model_file_is_measured_whole(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIT_WAFERS", 3)
    path = build_tiny_model(tmp_path / "tiny.onnx")
    report = evaluate(path, write_data(tmp_path / "data", rng), wafers=4)
    assert report["model_version"] == "tiny-1"
    assert report["synthetic"] == mask_report(
        load_predictor(path, threads=1), synthetic(TEST_SEED, 4)
    )
    assert report["noise"]["wafers"] == 2
    assert report["hand_checked"]["wafers"] == 8
    assert report["wm811k"]["wafers"] == 16
    assert report["mixedwm38"]["wafers"] == 9
    assert set(report["wm811k"]["recall"]) == {*PATTERNS, "none"}


def test_without_real_wafers_their_figures_are_left_out(tmp_path: Path) -> None:
    report = evaluate(build_tiny_model(tmp_path / "tiny.onnx"), wafers=2)
    assert set(report) == {"model_version", "quantisation", "synthetic", "noise"}


def test_thresholds_of_masks_are_one_per_class(rng: np.random.Generator) -> None:
    truth, said = strip("a", "1", 0.8, 0.4)
    thresholds = fit_masks([die_scores(scripted({"a": said}), [truth])])
    assert len(thresholds) == 8
    assert thresholds[EDGE] in GRID
    assert 0.4 < thresholds[EDGE] <= 0.8
    assert {t for n, t in enumerate(thresholds) if n != EDGE} == {0.5}
