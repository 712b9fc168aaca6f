"""The model file itself gives a wafer the same answer in any company and with any threads.

Read through onnxruntime alone, the wafers of several shapes on one canvas. What a larger canvas
changes is measured in docs/speed.md: the predictor never uses one.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from waferscope.infer import load_predictor
from waferscope.infer.batching import crop, stack
from waferscope.infer.fold import fold_rates
from waferscope.infer.model_file import OUTPUTS, find_model
from waferscope.infer.postprocess import calibrate
from waferscope.synth import build_wafer

SHAPES = ((26, 26), (25, 27), (39, 37), (60, 62), (31, 30))
CANVAS = (64, 64)
MOST_FLIPPED = 0.001
"""Share of a wafer's dies that int8 may mark otherwise."""


@pytest.fixture(scope="module")
def grids() -> list[npt.NDArray[np.uint8]]:
    """Return synthetic wafers, three of each shape."""
    return [
        build_wafer(np.random.default_rng((7, *shape, n)), shape=shape).to_wafermap("w").dies
        for shape, n in itertools.product(SHAPES, range(3))
    ]


def session(threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(
        str(find_model()), sess_options=options, providers=["CPUExecutionProvider"]
    )


class Answers:
    """Marked dies [C, rows, cols] and decided labels of each wafer, and how to compare them."""

    def __init__(self) -> None:
        self.info = load_predictor(threads=1).model
        self.masks: list[npt.NDArray[np.bool_]] = []
        self.labels: list[list[bool]] = []

    def add(
        self,
        model: ort.InferenceSession,
        grids: list[npt.NDArray[np.uint8]],
        canvas: tuple[int, int],
    ) -> None:
        """Ask for the wafers on one canvas, in one batch."""
        feed = {"dies": stack(grids, canvas), "fold": stack([*map(fold_rates, grids)], canvas)}
        probs, patterns, _, _ = model.run(list(OUTPUTS), feed)
        limits = np.array(self.info.mask_thresholds)[:, None, None]
        sure = calibrate(patterns, self.info.temperature, self.info.bias)
        for dies, zone, one in zip(grids, probs, sure, strict=True):
            self.masks.append((crop(zone, dies.shape) >= limits) & (dies == 2))
            self.labels.append((one >= self.info.pattern_thresholds).tolist())


def alone(grids: list[npt.NDArray[np.uint8]], threads: int = 1) -> Answers:
    """Ask for each wafer by itself."""
    answers, model = Answers(), session(threads)
    for dies in grids:
        answers.add(model, [dies], CANVAS)
    return answers


def assert_same(one: Answers, other: Answers, grids: list[npt.NDArray[np.uint8]]) -> None:
    assert one.labels == other.labels
    for dies, a, b in zip(grids, one.masks, other.masks, strict=True):
        assert np.count_nonzero((a != b).any(axis=0)) <= MOST_FLIPPED * np.count_nonzero(dies)


def test_another_number_of_threads(grids: list[npt.NDArray[np.uint8]]) -> None:
    assert_same(alone(grids), alone(grids, threads=2), grids)


def test_a_mixed_batch(grids: list[npt.NDArray[np.uint8]]) -> None:
    together = Answers()
    together.add(session(1), grids, CANVAS)
    assert_same(alone(grids), together, grids)
