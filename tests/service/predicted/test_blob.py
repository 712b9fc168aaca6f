"""A prediction comes back from its blob as it was, and nothing else is taken for one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.errors import WaferScopeError
from waferscope.infer import load_predictor
from waferscope.service.predicted.blob import pack, unpack


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    return load_predictor(threads=1).predict(make_wafer(5, 40))


def same(one: Prediction, other: Prediction) -> bool:
    arrays = ("probs", "embedding", "evidence")
    return one.to_dict() == other.to_dict() and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def test_nothing_is_lost(prediction: Prediction) -> None:
    again = unpack(pack(prediction), prediction.wafer)
    assert same(again, prediction)
    assert again.taxonomy == prediction.taxonomy
    assert again.thresholds == prediction.thresholds


@pytest.mark.parametrize("distinct", [1, 255, 256, 257, 70_000])
def test_any_number_of_probabilities_is_kept(prediction: Prediction, distinct: int) -> None:
    wafer = make_wafer(1, 120)
    rng = np.random.default_rng(0)
    values = np.linspace(0, 1, distinct, dtype=np.float32)
    shape = (len(prediction.taxonomy.classes), *wafer.shape)
    probs = rng.choice(values, shape)
    one = dataclasses.replace(prediction, wafer=wafer, probs=probs)
    assert same(unpack(pack(one), wafer), one)


def test_it_is_small(prediction: Prediction) -> None:
    plain = sum(getattr(prediction, name).nbytes for name in ("probs", "embedding", "evidence"))
    assert len(pack(prediction)) < plain / 3


def test_damage_is_noticed(prediction: Prediction) -> None:
    whole = pack(prediction)
    other = pa.compress(b"something else", codec="zstd", asbytes=True)
    for data in (b"", whole[: len(whole) // 2], b"\x80\x05cos\nsystem\n", other):
        with pytest.raises(WaferScopeError, match="Predict the wafer again"):
            unpack(data, prediction.wafer)


def test_the_wafer_has_to_be_its_own(prediction: Prediction) -> None:
    with pytest.raises(WaferScopeError, match="Predict the wafer again"):
        unpack(pack(prediction), make_wafer(5, 41))
