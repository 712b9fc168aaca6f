"""Ensembles: views are turned back to where they came from, and doubt is counted in bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from waferscope.domain.wafermap import Reticle, WaferMap
from waferscope.infer import ensemble
from waferscope.infer.ensemble import (
    SYMMETRIES,
    Ensemble,
    binary_entropy,
    symmetry_ensemble,
    turn_back,
    turned,
)


def wafer(seed: int, shape: tuple[int, int] = (9, 14)) -> WaferMap:
    dies = np.random.default_rng(seed).integers(0, 3, shape).astype(np.uint8)
    return WaferMap(dies, wafer_id=f"w{seed}", reticle=Reticle(2, 2))


class Scripted:
    """Says what a function makes of the dies it is shown, and counts what it was asked."""

    def __init__(self, probs: Any, embedding: Any = None) -> None:
        self.probs = probs
        self.embedding = embedding or (lambda dies: np.array([1.0, 0.0]))
        self.asked = 0

    def predict_stream(self, wafers: Iterable[WaferMap]) -> Iterator[SimpleNamespace]:
        for one in wafers:
            self.asked += 1
            assert one.reticle is None
            probs = np.asarray(self.probs(one.dies), np.float32)
            share = float((one.dies == 2).mean())
            yield SimpleNamespace(
                probs=probs, patterns={"A": share, "B": 0.5}, embedding=self.embedding(one.dies)
            )


def run(model: Scripted, *wafers: WaferMap) -> list[Ensemble]:
    return list(symmetry_ensemble(model, wafers))  # type: ignore[arg-type]


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_every_symmetry_is_undone(symmetry: tuple[int, bool]) -> None:
    one = wafer(0)
    planes = np.stack([one.dies, one.dies * 2])
    there = turned(one, *symmetry).dies
    np.testing.assert_array_equal(turn_back(there, *symmetry), one.dies)
    both = np.stack([there, there * 2])
    np.testing.assert_array_equal(turn_back(both, *symmetry), planes)


def test_the_views_are_the_eight_symmetries() -> None:
    views = {(v.shape, v.dies.tobytes()) for s in SYMMETRIES for v in [turned(wafer(0), *s)]}
    assert len(views) == 8


def test_a_model_that_turns_with_its_wafer_is_never_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ensemble, "CHUNK", 2)
    model = Scripted(lambda dies: np.stack([dies == 2, dies == 1]))
    wafers = [wafer(n, (7 + n, 9)) for n in range(5)]
    for one, found in zip(wafers, run(model, *wafers), strict=True):
        assert found.wafer is one
        np.testing.assert_array_equal(found.probs, [one.dies == 2, one.dies == 1])
        assert found.die_disagreement.max() < 1e-6
        assert found.wafer_entropy == pytest.approx(0.0, abs=1e-4)
        assert found.labels.shape == (8, 2)
    assert model.asked == 40


def test_a_model_that_looks_at_one_corner_disputes_its_own_turns() -> None:
    """It calls the upper left die a defect: of a square, each corner is that in 2 of 8 views."""

    def corner(dies: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        probs = np.zeros((1, *dies.shape))
        probs[0, 0, 0] = 1.0
        return probs

    square = WaferMap(np.full((4, 4), 2, np.uint8))
    (found,) = run(Scripted(corner), square)
    expected = np.zeros((4, 4))
    expected[::3, ::3] = 0.25
    np.testing.assert_allclose(found.probs[0], expected)
    bits = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    np.testing.assert_allclose(found.die_entropy, expected * 4 * bits, atol=1e-4)
    np.testing.assert_allclose(found.die_disagreement, expected * 4 * bits, atol=1e-4)
    assert found.wafer_disagreement == pytest.approx(4 * bits / 16, abs=1e-4)


def test_what_all_members_find_unclear_is_no_dispute() -> None:
    model = Scripted(lambda dies: np.full((2, *dies.shape), 0.5))
    (found,) = run(model, WaferMap(np.full((5, 5), 2, np.uint8)))
    assert found.wafer_entropy == pytest.approx(1.0)
    assert found.wafer_disagreement == pytest.approx(0.0, abs=1e-6)
    assert found.label_entropy == pytest.approx(1.0, abs=1e-4)


def test_the_embedding_is_the_mean_direction() -> None:
    def embed(dies: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        return np.array([1.0, 0.0]) if dies[0, 0] == 2 else np.array([0.0, 1.0])

    dies = np.ones((3, 3), np.uint8)
    dies[0, 0] = 2
    (found,) = run(Scripted(lambda d: np.zeros((1, *d.shape)), embed), WaferMap(dies))
    np.testing.assert_allclose(found.embedding, np.array([2, 6]) / np.hypot(2, 6), rtol=1e-6)


def test_a_wafer_without_fails_is_in_no_doubt() -> None:
    model = Scripted(lambda dies: np.full((1, *dies.shape), 0.5))
    (found,) = run(model, WaferMap(np.ones((5, 5), np.uint8)))
    assert (found.wafer_entropy, found.wafer_disagreement) == (0.0, 0.0)


def test_entropy_by_the_formula() -> None:
    for p in (0.1, 0.3, 0.77):
        expected = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
        assert binary_entropy(np.array([p]))[0] == pytest.approx(expected)
    assert binary_entropy(np.array([0.0, 1.0])).max() < 1e-4
