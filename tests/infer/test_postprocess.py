"""Calibration arithmetic and the cut from canvas to wafer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ModelError
from waferscope.infer.batching import crop
from waferscope.infer.model_file import ModelInfo, open_model
from waferscope.infer.postprocess import STEPS, RawBatch, build_predictions, calibrate

DIES = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)


@pytest.fixture(scope="module")
def info(tiny_model: Path) -> ModelInfo:
    return open_model(tiny_model, threads=1).info


def raw_batch(value: float = 0.75) -> RawBatch:
    return RawBatch(
        mask_probs=np.full((1, 8, 32, 32), value, np.float32),
        pattern_probs=np.full((1, 8), value, np.float32),
        embedding=np.full((1, 8), 0.5, np.float32),
        evidence=np.arange(8 * 64, dtype=np.float32).reshape(1, 8, 8, 8),
    )


@given(st.floats(0.001, 0.999), st.floats(0.2, 5.0), st.floats(-3.0, 3.0))
def test_calibration_by_hand(prob: float, temperature: float, bias: float) -> None:
    logit = math.log(prob / (1.0 - prob))
    expected = 1.0 / (1.0 + math.exp(-(logit / temperature + bias)))
    assert calibrate(np.array([prob]), (temperature,), (bias,))[0] == pytest.approx(expected)


def test_calibration_holds_certain_probabilities_back() -> None:
    low, high = calibrate(np.array([0.0, 1.0]), (1.0, 1.0), (0.0, 0.0))
    assert 0.0 < low < 1e-5
    assert 1.0 - 1e-5 < high < 1.0


def test_prediction_lies_on_the_wafer(info: ModelInfo) -> None:
    wafer = WaferMap(DIES, wafer_id="w")
    raw = raw_batch()
    (prediction,) = build_predictions(raw, [wafer], info, info.mask_thresholds)
    assert prediction.wafer is wafer
    assert prediction.probs.shape == (8, 2, 3)
    assert prediction.probs.dtype == np.float32
    np.testing.assert_array_equal(prediction.probs > 0, np.broadcast_to(DIES > 0, (8, 2, 3)))
    np.testing.assert_array_equal(prediction.probs[:, DIES > 0], np.float32(0.75))
    assert list(prediction.patterns) == list(info.taxonomy.patterns)
    assert prediction.patterns["Loc"] == pytest.approx(0.75)
    assert prediction.pattern_thresholds["Loc"] == 0.5
    assert prediction.embedding.shape == (8,)
    assert prediction.evidence.shape == (8, 1, 1)
    assert prediction.model_version == "tiny-1"


def test_prediction_does_not_keep_the_batch_alive(info: ModelInfo) -> None:
    raw = raw_batch()
    (prediction,) = build_predictions(raw, [WaferMap(DIES)], info, info.mask_thresholds)
    for array in (prediction.probs, prediction.embedding, prediction.evidence):
        assert not any(
            np.shares_memory(array, own) for own in (raw.mask_probs, raw.embedding, raw.evidence)
        )


def test_probabilities_that_overshoot_are_held(info: ModelInfo) -> None:
    raw = raw_batch()
    raw.mask_probs[0, 0], raw.mask_probs[0, 1] = 1.0039, -0.0039
    (prediction,) = build_predictions(raw, [WaferMap(DIES)], info, info.mask_thresholds)
    assert prediction.probs[0].max() == 1.0
    assert not prediction.probs[1].any()


def test_probabilities_are_told_in_steps(info: ModelInfo) -> None:
    raw = raw_batch()
    said = np.random.default_rng(0).random(raw.mask_probs.shape, np.float32)
    raw.mask_probs[:] = said
    (prediction,) = build_predictions(raw, [WaferMap(DIES)], info, info.mask_thresholds)
    steps = prediction.probs * STEPS
    np.testing.assert_array_equal(steps, np.rint(steps))
    rounded = crop(said[0], DIES.shape) * (DIES > 0)
    np.testing.assert_allclose(prediction.probs, rounded, rtol=0.0, atol=0.5 / STEPS)


@pytest.mark.parametrize("name", ["mask_probs", "pattern_probs", "embedding"])
def test_numbers_that_are_not_finite_are_refused(info: ModelInfo, name: str) -> None:
    raw = raw_batch()
    getattr(raw, name)[0, 3] = np.nan
    with pytest.raises(ModelError, match="NaN"):
        build_predictions(raw, [WaferMap(DIES)], info, info.mask_thresholds)
