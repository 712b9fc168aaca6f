"""What doubt is worth: ensembles by dropout, calibration of dies, and ranks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import expit, logit
from torch import nn

from tests.ml.small import TINY, build_net, disc
from waferscope.domain.wafermap import WaferMap
from waferscope.infer.ensemble import Ensemble
from waferscope.ml.model import WaferNet
from waferscope.ml.torch_session import torch_predictor
from waferscope.ml.truth import Truth
from waferscope.ml.uncertainty import (
    auroc,
    calibrate_dies,
    die_answers,
    die_reliability,
    dropout_ensemble,
    fit_dies,
)


@pytest.fixture(scope="module")
def wafers() -> list[WaferMap]:
    rng = np.random.default_rng(0)
    shapes = [(20, 22), (31, 31)]
    return [
        WaferMap(np.where(disc(*s)[0], rng.integers(1, 3, s), 0).astype(np.uint8)) for s in shapes
    ]


def test_members_differ_by_what_is_dropped_and_the_seed_repeats_them(
    net: WaferNet, wafers: list[WaferMap]
) -> None:
    one, again = (list(dropout_ensemble(net, wafers, passes=3, seed=5)) for _ in range(2))
    other = list(dropout_ensemble(net, wafers, passes=3, seed=6))
    for first, second, third, wafer in zip(one, again, other, wafers, strict=True):
        assert first.members.shape == (3, 8, *wafer.shape)
        np.testing.assert_array_equal(first.members, second.members)
        assert not np.array_equal(first.members, third.members)
        assert first.die_disagreement.max() > 0.0
    assert not any(module.training for module in net.modules())


def test_without_dropout_the_members_are_the_prediction(wafers: list[WaferMap]) -> None:
    net = build_net(config=TINY)
    for module in net.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    plain = torch_predictor(net).predict(wafers)
    for found, expected in zip(dropout_ensemble(net, wafers, passes=2), plain, strict=True):
        np.testing.assert_allclose(found.members, [expected.probs] * 2, atol=1e-6)
        assert found.die_disagreement.max() < 1e-3


def test_failing_scored_dies_are_answered_for(wafers: list[WaferMap]) -> None:
    wafer = wafers[0]
    rng = np.random.default_rng(1)
    members = rng.random((4, 8, *wafer.shape)).astype(np.float32)
    found = Ensemble(wafer, members, np.zeros((4, 8), np.float32), np.zeros(3, np.float32))
    masks = rng.random((8, *wafer.shape)) < 0.3
    ignore = rng.random(wafer.shape) < 0.2
    answers = die_answers([found, found], [Truth(wafer, masks, ignore), Truth(wafer, masks)])
    fails = wafer.dies == 2
    scored = fails & ~ignore
    assert answers.probs.shape == (8, scored.sum() + fails.sum())
    np.testing.assert_allclose(answers.probs[:, : scored.sum()], members.mean(0)[:, scored])
    np.testing.assert_array_equal(answers.truth[:, scored.sum() :], masks[:, fails])
    assert answers.disagreement.shape == (scored.sum() + fails.sum(),)


def test_dies_are_calibrated_to_what_was_true() -> None:
    """Truth is drawn at half the slope that is said, and shifted: the fit finds both."""
    rng = np.random.default_rng(2)
    said = expit(rng.normal(0, 2, (2, 60_000)))
    true = expit(logit(said) * 0.5 + 0.7)
    truth = rng.random(said.shape) < true
    before = die_reliability(said, truth)

    class Answers:
        probs, disagreement = said, np.zeros(60_000)

    answers = Answers()
    answers.truth = truth  # type: ignore[attr-defined]
    fits = fit_dies(answers)  # type: ignore[arg-type]
    after = die_reliability(calibrate_dies(said, fits), truth)
    np.testing.assert_allclose(calibrate_dies(said, fits), true, atol=0.02)
    assert before["ece"] > 0.1
    assert after["ece"] < 0.01
    assert after["brier"] < before["brier"]


def test_reliability_by_a_loop() -> None:
    rng = np.random.default_rng(3)
    probs, truth = rng.random((3, 500)), rng.random((3, 500)) < 0.4
    found = die_reliability(probs, truth)
    ece = 0.0
    for low in range(15):
        inside = (probs * 15 >= low) & (probs * 15 < low + 1)
        ece += abs(float(probs[inside].sum()) - float(truth[inside].sum())) / 1500
    assert found["ece"] == pytest.approx(ece)
    assert found["brier"] == pytest.approx(float(((probs - truth) ** 2).mean()))
    assert sum(row["share"] for row in found["diagram"]) == pytest.approx(1.0)
    assert 0.4 < found["error_auroc"] < 0.75


def test_ranks_by_all_pairs() -> None:
    rng = np.random.default_rng(4)
    scores, positive = rng.integers(0, 6, 60), rng.random(60) < 0.4
    pairs = list(itertools.product(scores[positive], scores[~positive]))
    expected = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    assert auroc(scores, positive) == pytest.approx(float(expected))
    assert auroc(scores, np.zeros(60, bool)) is None
