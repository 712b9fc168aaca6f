"""Order, invariance, thresholds and refusals of the predictor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.infer.conftest import MakeWafer
from tests.tiny_model import build_tiny_model
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import DieGrid, Reticle, WaferMap
from waferscope.errors import InputError, ModelError
from waferscope.infer import Predictor, load_predictor
from waferscope.infer import predictor as module
from waferscope.infer.fold import fold_rates
from waferscope.infer.model_file import VARIABLE
from waferscope.infer.postprocess import STEPS

HALF_STEP = 0.5 / STEPS + 1e-6
RELEASED = Path(module.__file__).parents[1] / "models" / "waferscope.onnx"
MODELS = ["tiny"] + (["released"] if RELEASED.is_file() else [])


def densities_by_loop(dies: DieGrid) -> npt.NDArray[np.float32]:
    """Return what the tiny model gives `center`: 0.3 times the fail density around each die."""
    probs = np.zeros(dies.shape, np.float32)
    for (row, col), value in np.ndenumerate(dies):
        if value:
            near = dies[max(0, row - 2) : row + 3, max(0, col - 2) : col + 3]
            probs[row, col] = 0.3 * np.count_nonzero(near == 2) / np.count_nonzero(near)
    return probs


def assert_same(one: Prediction, other: Prediction) -> None:
    """Same labels; same masks but for 0.1 % of the dies, which an int8 model may flip."""
    assert one.labels == other.labels
    flipped = np.count_nonzero(one.masks != other.masks)
    assert flipped <= 0.001 * one.wafer.die_count
    np.testing.assert_allclose(one.probs, other.probs, atol=0.02)
    np.testing.assert_allclose(one.embedding, other.embedding, atol=0.02)


def test_one_wafer_gives_one_prediction(predictor: Predictor, make_wafer: MakeWafer) -> None:
    wafer = make_wafer(25, 31)
    prediction = predictor.predict(wafer)
    assert isinstance(prediction, Prediction)
    assert prediction.wafer is wafer
    np.testing.assert_allclose(prediction.probs[1], densities_by_loop(wafer.dies), atol=HALF_STEP)
    assert (prediction.masks <= (wafer.dies == 2)).all()


def test_fold_reaches_the_model(predictor: Predictor) -> None:
    dies = np.ones((30, 30), np.uint8)
    dies[2::5, 1::6] = 2
    for reticle in (None, Reticle(5, 6, 1, 1)):
        prediction = predictor.predict(WaferMap(dies, reticle=reticle))
        lithography = prediction.taxonomy.channel("lithography")
        np.testing.assert_allclose(prediction.probs[lithography], fold_rates(dies), atol=HALF_STEP)
        assert prediction.masks[lithography].sum() == np.count_nonzero(dies == 2)


def test_model_without_fold_takes_dies_alone(tmp_path: Path, make_wafer: MakeWafer) -> None:
    bare = load_predictor(build_tiny_model(tmp_path / "m.onnx", fold=False), threads=1)
    wafer = make_wafer(20, 20)
    np.testing.assert_allclose(
        bare.predict(wafer).probs[1], densities_by_loop(wafer.dies), atol=HALF_STEP
    )


@pytest.mark.parametrize("container", [list, tuple, iter])
def test_sequences_keep_their_order(
    predictor: Predictor, make_wafer: MakeWafer, container: Any
) -> None:
    wafers = [make_wafer(n, 90 - n, wafer_id=str(n)) for n in (70, 12, 33, 12, 64, 65, 30)]
    predictions = predictor.predict(container(wafers))
    assert [p.wafer.wafer_id for p in predictions] == ["70", "12", "33", "12", "64", "65", "30"]
    for wafer, prediction in zip(wafers, predictions, strict=True):
        np.testing.assert_allclose(
            prediction.probs[1], densities_by_loop(wafer.dies), atol=HALF_STEP
        )


def test_no_wafers_give_no_predictions(predictor: Predictor) -> None:
    assert predictor.predict([]) == []
    assert list(predictor.predict_stream(iter(()))) == []


@pytest.mark.parametrize("which", MODELS)
def test_same_answer_alone_in_company_and_with_other_threads(
    tiny_model: Path, make_wafer: MakeWafer, which: str
) -> None:
    path = tiny_model if which == "tiny" else RELEASED
    one, two = load_predictor(path, threads=1), load_predictor(path, threads=2)
    sides = [(26, 26), (31, 27), (40, 33), (64, 64), (32, 20), (26, 30)]
    wafers = [make_wafer(*side, density=0.1 * (i % 4)) for i, side in enumerate(sides)]
    alone = [one.predict(wafer) for wafer in wafers]
    reverse = one.predict(wafers[::-1])[::-1]
    for predictions in (one.predict(wafers), reverse, two.predict(wafers)):
        for mine, theirs in zip(alone, predictions, strict=True):
            assert_same(mine, theirs)


def test_thousands_of_mixed_sizes(predictor: Predictor, rng: np.random.Generator) -> None:
    sides = rng.integers(1, 48, (3000, 2))
    wafers = [
        WaferMap(rng.integers(0, 3, side, dtype=np.uint8), wafer_id=str(i))
        for i, side in enumerate(sides)
    ]
    count = 0
    for wafer, prediction in zip(wafers, predictor.predict_stream(iter(wafers)), strict=True):
        assert prediction.wafer is wafer
        assert prediction.probs.shape[1:] == wafer.shape
        count += 1
    assert count == 3000


def test_stream_holds_few_wafers_at_a_time(predictor: Predictor, make_wafer: MakeWafer) -> None:
    wafer = make_wafer(8, 8)
    taken = 0

    def endless() -> Iterator[WaferMap]:
        nonlocal taken
        while True:
            taken += 1
            yield wafer

    stream = predictor.predict_stream(endless())
    for _ in range(10):
        next(stream)
    assert taken <= 4 * module.CHUNK_WAFERS
    stream.close()


def test_large_wafers_fill_a_chunk_early(make_wafer: MakeWafer) -> None:
    large = make_wafer(600, 900)
    assert [len(chunk) for chunk in module._in_chunks([large] * 5)] == [2, 2, 1]


def test_stream_passes_on_what_the_source_raises(
    predictor: Predictor, make_wafer: MakeWafer
) -> None:
    def failing() -> Iterator[WaferMap]:
        yield from [make_wafer(9, 9)] * (module.CHUNK_WAFERS * 3)
        raise OSError("disc gone")

    with pytest.raises(OSError, match="disc gone"):
        list(predictor.predict_stream(failing()))


def test_threads_may_share_a_predictor(predictor: Predictor, make_wafer: MakeWafer) -> None:
    wafers = [make_wafer(20 + n, 24) for n in range(12)]
    alone = [predictor.predict(wafer) for wafer in wafers]
    with ThreadPoolExecutor(4) as pool:
        for mine, theirs in zip(alone, pool.map(predictor.predict, wafers), strict=True):
            assert_same(mine, theirs)


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.4, 1.0, 1])
def test_threshold_replaces_all_mask_thresholds(
    predictor: Predictor, make_wafer: MakeWafer, threshold: float
) -> None:
    wafer = make_wafer(30, 30, density=0.5)
    prediction = predictor.predict(wafer, threshold=threshold)
    assert prediction.thresholds == (threshold,) * 8
    np.testing.assert_array_equal(prediction.probs, predictor.predict(wafer).probs)
    whole = prediction.taxonomy.channel("random")
    over = (prediction.probs[whole] >= threshold) & (wafer.dies == 2)
    np.testing.assert_array_equal(prediction.masks[whole], over)


@pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan"), "0.5", True])
def test_threshold_outside_0_to_1_is_refused(
    predictor: Predictor, make_wafer: MakeWafer, threshold: Any
) -> None:
    with pytest.raises(InputError, match="threshold from 0 to 1"):
        predictor.predict_stream([make_wafer(9, 9)], threshold=threshold)


@pytest.mark.parametrize(
    "wafers", [None, 5, "lot.stdf", b"", np.ones((3, 3), np.uint8), [np.ones((3, 3))], ["a"]]
)
def test_other_types_are_refused(predictor: Predictor, wafers: Any) -> None:
    with pytest.raises(InputError, match=r"Expected a WaferMap or a sequence of them, got"):
        predictor.predict(wafers)


def test_wrong_item_is_named_by_its_position(predictor: Predictor, make_wafer: MakeWafer) -> None:
    with pytest.raises(InputError, match="got NoneType at position 1"):
        predictor.predict([make_wafer(9, 9), None])  # type: ignore[list-item]


@pytest.mark.parametrize("which", MODELS)
@pytest.mark.parametrize("value", [0, 1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 2), (20, 20), (52, 52), (100, 60)])
def test_uniform_wafers_are_fine(
    tiny_model: Path, which: str, shape: tuple[int, int], value: int
) -> None:
    own = load_predictor(tiny_model if which == "tiny" else RELEASED, threads=1)
    prediction = own.predict(WaferMap(np.full(shape, value, np.uint8)))
    assert np.isfinite(prediction.probs).all()
    assert np.isfinite(list(prediction.patterns.values())).all()
    if value < 2:
        assert not prediction.masks.any()
        assert prediction.labels == []
        assert set(prediction.patterns.values()) == {0.0}
    if value == 0:
        assert not prediction.probs.any()


def test_single_failing_die_is_fine(predictor: Predictor) -> None:
    dies = np.ones((15, 15), np.uint8)
    dies[7, 7] = 2
    assert predictor.predict(WaferMap(dies)).probs.max() <= 0.2


def test_notch_does_not_turn_the_map(predictor: Predictor, make_wafer: MakeWafer) -> None:
    wafer = make_wafer(20, 26)
    left = WaferMap(wafer.dies, notch="left")
    np.testing.assert_array_equal(predictor.predict(wafer).probs, predictor.predict(left).probs)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=6))
def test_any_sizes_come_back_as_they_went_in(
    predictor: Predictor, shapes: list[tuple[int, int]]
) -> None:
    random = np.random.default_rng(len(shapes))
    wafers = [WaferMap(random.integers(0, 3, shape, dtype=np.uint8)) for shape in shapes]
    for wafer, prediction in zip(wafers, predictor.predict(wafers), strict=True):
        assert prediction.wafer is wafer
        assert prediction.probs.shape == (8, *wafer.shape)
        assert prediction.evidence.shape == (8, -(-wafer.shape[0] // 4), -(-wafer.shape[1] // 4))
        assert not prediction.probs[:, wafer.dies == 0].any()
        assert np.linalg.norm(prediction.embedding) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("threads", [0, -2, 1.5, True, "2"])
def test_threads_must_be_a_positive_number(tiny_model: Path, threads: Any) -> None:
    with pytest.raises(InputError, match="threads of at least 1"):
        load_predictor(tiny_model, threads)


def test_the_default_model_is_the_one_that_is_named(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tiny_model))
    assert load_predictor().model.version == "tiny-1"


def test_providers_are_passed_on(tiny_model: Path, make_wafer: MakeWafer) -> None:
    wafer = make_wafer(24, 24)
    named = load_predictor(tiny_model, threads=1, providers=["CPUExecutionProvider"])
    left_out = load_predictor(tiny_model, threads=1)
    assert_same(named.predict(wafer), left_out.predict(wafer))
    with pytest.raises(InputError, match="got AbacusExecutionProvider"):
        load_predictor(tiny_model, providers=["AbacusExecutionProvider", "CPUExecutionProvider"])


def test_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_predictor(tmp_path / "none.onnx")
