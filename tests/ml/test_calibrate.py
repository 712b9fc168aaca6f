"""Temperatures that make probabilities true, and thresholds that are the best of the grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from torchmetrics.functional.classification import multiclass_f1_score, multilabel_exact_match

from waferscope.infer.postprocess import calibrate
from waferscope.ml.calibrate import (
    GRID,
    PatternFit,
    PatternScores,
    decide,
    fit_mask_threshold,
    fit_patterns,
    fit_platt,
    score_labels,
)
from waferscope.ml.metrics import single_label


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


def test_decide_names_the_largest_over_its_threshold(rng: np.random.Generator) -> None:
    probs, thresholds = rng.random((80, 3)), np.array([0.4, 0.7, 0.8])
    names = ["none" if n < 0 else "abc"[n] for n in decide(probs, thresholds)]
    assert names == single_label(probs, thresholds, "abc")


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


def test_a_mask_threshold_is_the_best_mean_iou_of_the_grid(rng: np.random.Generator) -> None:
    sets = []
    for shift, count in ((0.2, 300), (0.45, 80)):
        truth = rng.random(count) < 0.4
        sets.append((np.clip(truth * shift + rng.random(count) * 0.6, 0, 1), truth))

    def mean_iou(threshold: float) -> float:
        ious = []
        for probs, truth in sets:
            marked, there = set(np.flatnonzero(probs >= threshold)), set(np.flatnonzero(truth))
            ious.append(len(marked & there) / len(marked | there))
        return float(np.mean(ious))

    best = max(mean_iou(t) for t in GRID)
    assert mean_iou(fit_mask_threshold(sets)) >= best - 1e-3


def test_a_flat_top_is_met_in_its_middle() -> None:
    probs = np.array([0.2, 0.8, 0.8])
    truth = np.array([False, True, True])
    # Every threshold of the grid from 0.22 to 0.80 parts them.
    assert fit_mask_threshold([(probs, truth)]) == pytest.approx(0.52)


def test_a_class_never_present_keeps_one_half() -> None:
    absent = (np.array([0.9, 0.1]), np.zeros(2, bool))
    assert fit_mask_threshold([absent]) == 0.5
    present = (np.array([0.9, 0.1]), np.array([True, False]))
    assert fit_mask_threshold([absent, present]) == fit_mask_threshold([present])


def scores(rng: np.random.Generator, *, single: bool, count: int = 120) -> PatternScores:
    labels = rng.random((count, 2)) < 0.4
    if single:
        labels[:, 1] &= ~labels[:, 0]
    probs = np.clip(0.08 + labels * 0.3 + rng.random((count, 2)) * 0.1, 0, 1)
    return PatternScores(probs, labels, rng.integers(0, 9, count), single)


def test_halves_share_no_group_and_lose_no_wafer(rng: np.random.Generator) -> None:
    whole = scores(rng, single=True)
    one, other = whole.halves()
    assert not set(one.groups) & set(other.groups)
    assert len(one.probs) + len(other.probs) == len(whole.probs)
    both = np.concatenate([one.probs, other.probs])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(whole.probs, axis=0))


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
    noisy = PatternScores(one.probs, one.labels ^ (rng.random((40, 2)) < 0.2), one.groups, False)
    probs, labels, groups = (
        np.concatenate([a] * 10) for a in (noisy.probs, noisy.labels, noisy.groups)
    )
    copies = PatternScores(probs, labels, groups, single=False)
    usual, crowded = fit_patterns([noisy, other]), fit_patterns([copies, other])
    np.testing.assert_allclose(crowded.temperature, usual.temperature, rtol=1e-3)
    np.testing.assert_allclose(crowded.bias, usual.bias, atol=1e-2)
    np.testing.assert_array_equal(crowded.thresholds, usual.thresholds)
