"""Temperatures that make probabilities true, and thresholds that are the best of the grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from torchmetrics.functional.classification import multiclass_f1_score, multilabel_exact_match

import waferscope.ml.calibrate as module
from waferscope.infer.postprocess import calibrate
from waferscope.ml.calibrate import (
    GRID,
    PatternFit,
    PatternScores,
    fit_patterns,
    fit_platt,
    middle_of_best,
    score_labels,
    true_labels,
)
from waferscope.ml.evaluation.reliability import bin_counts, ece
from waferscope.ml.metrics import decide


def fit(temperature: float, bias: float) -> PatternFit:
    return PatternFit(np.array([temperature]), np.array([bias]), np.array([0.5]))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.3, 3.0),
    st.floats(-2.0, 2.0),
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6),
)
def test_raw_undoes_calibrated(temperature: float, bias: float, probs: list[float]) -> None:
    given_probs = np.array(probs)[:, None]
    one = fit(temperature, bias)
    shown = one.calibrated(given_probs)
    inside = (shown > 2e-6) & (shown < 1 - 2e-6)
    np.testing.assert_allclose(one.raw(shown)[inside], given_probs[inside], rtol=1e-6)


def test_the_predictor_calibrates_the_same_way(rng: np.random.Generator) -> None:
    probs = rng.random((50, 1))
    served = calibrate(probs, (1.7,), (-0.4,))
    np.testing.assert_allclose(fit(1.7, -0.4).calibrated(probs), served, rtol=1e-9)


def test_platt_finds_what_was_put_in(rng: np.random.Generator) -> None:
    raw = rng.normal(scale=2.0, size=20_000)
    seen = rng.random(20_000) < expit(raw / 1.6 - 0.7)
    temperature, bias = fit_platt(expit(raw), seen, np.ones(20_000))
    assert temperature == pytest.approx(1.6, rel=0.05)
    assert bias == pytest.approx(-0.7, abs=0.06)


def test_at_the_likeliest_fit_the_weighted_residuals_vanish(rng: np.random.Generator) -> None:
    """Both derivatives of the log likelihood, in bias and in slope, written out."""
    probs, weight = rng.uniform(0.02, 0.98, 400), rng.uniform(0.5, 2.0, 400)
    labels = rng.random(400) < probs**2
    temperature, bias = fit_platt(probs, labels, weight)
    z = logit(probs)
    residual = (expit(z / temperature + bias) - labels) * weight / weight.sum()
    assert abs(residual.sum()) < 1e-3
    assert abs((residual * z).sum()) < 2e-3


@pytest.mark.parametrize("labels", [np.zeros(5, bool), np.ones(5, bool)])
def test_one_kind_alone_is_left_as_it_is(
    labels: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    assert fit_platt(np.full(5, 0.3), labels, np.ones(5)) == (1.0, 0.0)


def test_labels_are_scored_as_torchmetrics_does(rng: np.random.Generator) -> None:
    truth = rng.integers(-1, 3, 300)
    labels = truth[:, None] == np.arange(3)
    probs = np.clip(labels * 0.5 + rng.random((300, 3)) * 0.6, 0, 1)
    thresholds = np.array([0.5, 0.6, 0.55])
    preds = decide(probs, thresholds)
    macro = multiclass_f1_score(
        torch.from_numpy(preds + 1), torch.from_numpy(truth + 1), num_classes=4, average="macro"
    )
    assert score_labels(probs, labels, thresholds, single=True) == pytest.approx(float(macro))
    exact = multilabel_exact_match(
        torch.from_numpy((probs >= thresholds).astype(int)),
        torch.from_numpy(labels.astype(int)),
        num_labels=3,
    )
    assert score_labels(probs, labels, thresholds, single=False) == pytest.approx(float(exact))


def scores(rng: np.random.Generator, *, single: bool, count: int = 120) -> PatternScores:
    labels = rng.random((count, 2)) < 0.4
    if single:
        labels[:, 1] &= ~labels[:, 0]
    probs = np.clip(0.08 + labels * 0.3 + rng.random((count, 2)) * 0.1, 0, 1)
    return PatternScores(probs, labels, single)


def test_fitted_patterns_part_what_can_be_parted(rng: np.random.Generator) -> None:
    sets = [scores(rng, single=True), scores(rng, single=False)]
    found = fit_patterns(sets)
    for one in sets:
        assert score_labels(
            found.calibrated(one.probs), one.labels, found.thresholds, one.single
        ) == (pytest.approx(1.0))
    assert all(t in GRID for t in found.thresholds)


def test_each_set_weighs_the_same(rng: np.random.Generator) -> None:
    """Ten copies of one set beside another: the fit is that of one copy."""
    one, other = scores(rng, single=False, count=40), scores(rng, single=False, count=60)
    noisy = PatternScores(one.probs, one.labels ^ (rng.random((40, 2)) < 0.2), single=False)
    probs, labels = (np.concatenate([a] * 10) for a in (noisy.probs, noisy.labels))
    copies = PatternScores(probs, labels, single=False)
    usual, crowded = fit_patterns([noisy, other]), fit_patterns([copies, other])
    np.testing.assert_allclose(crowded.temperature, usual.temperature, rtol=1e-3)
    np.testing.assert_allclose(crowded.bias, usual.bias, atol=1e-2)
    np.testing.assert_array_equal(crowded.thresholds, usual.thresholds)


def test_thresholds_are_the_best_of_the_grid_one_at_a_time(rng: np.random.Generator) -> None:
    """Moving any threshold of the fit, by brute force over the grid, gains less than a hair."""
    sets = []
    for single in (True, False):
        labels = rng.random((150, 3)) < 0.35
        if single:
            labels &= np.cumsum(labels, axis=1) == 1
        probs = np.clip(0.2 + 0.3 * labels + rng.normal(0, 0.15, labels.shape), 0.01, 0.99)
        sets.append(PatternScores(probs, labels, single))
    found = fit_patterns(sets)

    def mean(thresholds: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        scores = [
            score_labels(found.calibrated(s.probs), s.labels, thresholds, s.single) for s in sets
        ]
        return float(np.mean(scores))

    best = mean(found.thresholds)
    for p in range(3):
        for threshold in GRID:
            other = found.thresholds.copy()
            other[p] = threshold
            assert mean(other) <= best + 1.1e-3


def overlapping(rng: np.random.Generator) -> PatternScores:
    """Wafers that may be one of three, none for certain: calibrated one by one, none is too sure.

    Each pattern is there with its probability, never two at once.
    """
    probs = rng.dirichlet([0.3, 0.3, 0.3, 0.6], 6000)
    named = (probs.cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
    return PatternScores(probs[:, :3], named[:, None] == np.arange(3), single=True)


def test_the_confidence_of_a_single_label_is_part_of_the_fit(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = overlapping(rng)
    errors = []
    for weight in (0.0, module.DECISION_WEIGHT):
        monkeypatch.setattr(module, "DECISION_WEIGHT", weight)
        found = fit_patterns([scores])
        shown = found.calibrated(scores.probs)
        preds = decide(shown, found.thresholds)
        chosen = np.take_along_axis(shown, np.maximum(preds, 0)[:, None], axis=1)[:, 0]
        sure = np.where(preds >= 0, chosen, 1 - shown.max(axis=1))
        counts = bin_counts(sure, preds == true_labels(scores.labels))
        errors.append(float(ece(counts.sum(axis=0))))
    assert errors[1] < errors[0]


def test_a_flat_top_is_met_in_its_middle() -> None:
    assert middle_of_best(np.array([0.1, 0.9, 0.8995, 0.9, 0.2])) == 2
    assert middle_of_best(np.array([0.3, 0.2])) == 0


def test_true_labels_are_none_where_nothing_is_there() -> None:
    assert true_labels(np.array([[0, 1], [0, 0], [1, 0]]) > 0).tolist() == [1, -1, 0]
