"""Intervals against SciPy's bootstrap, and pairs that move together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from waferscope.ml.evaluation.figure import (
    RESAMPLES,
    Figure,
    Tally,
    draw_weights,
    figures_of,
    gains,
    quotient,
    share,
    sum_groups,
    tally,
)
from waferscope.ml.metrics import iou


def test_an_interval_is_scipys_percentile_bootstrap(rng: np.random.Generator) -> None:
    hits = rng.random(300) < 0.3
    found = share(hits, np.arange(300)).figure()
    theirs = stats.bootstrap(
        (hits.astype(float),), np.mean, n_resamples=5000, method="percentile", rng=1
    ).confidence_interval
    assert found.value == pytest.approx(hits.mean())
    assert found.low == pytest.approx(theirs.low, abs=0.012)
    assert found.high == pytest.approx(theirs.high, abs=0.012)


def test_lots_drawn_whole_widen_the_interval(rng: np.random.Generator) -> None:
    lots = np.repeat(np.arange(20), 30)
    hits = np.repeat(rng.random(20) < 0.4, 30)
    wide, narrow = (share(hits, g).figure() for g in (lots, np.arange(600)))
    assert wide.value == narrow.value
    assert wide.low is not None
    assert wide.high is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_a_resample_draws_as_many_groups_as_there_are() -> None:
    weights = draw_weights(17)
    assert weights.shape == (RESAMPLES, 17)
    assert set(weights.sum(axis=1)) == {17.0}
    assert abs(weights.mean() - 1.0) < 1e-9
    np.testing.assert_array_equal(weights, draw_weights(17))


def test_a_ratio_is_of_the_sums_of_each_resample(rng: np.random.Generator) -> None:
    counts = rng.integers(0, 9, (12, 3))
    counts[:, 1:] += counts[:, :1]
    one = tally(counts, np.arange(12), iou)
    by_hand = [iou((w[:, None] * counts).sum(axis=0)) for w in draw_weights(12)[:20]]
    np.testing.assert_allclose(one.resampled()[:20], by_hand)


def test_sums_by_group_against_a_loop(rng: np.random.Generator) -> None:
    groups, counts = rng.integers(3, 8, 50), rng.integers(0, 5, (50, 2, 3))
    found = sum_groups(counts, groups)
    for row, group in zip(found, np.unique(groups), strict=True):
        np.testing.assert_array_equal(row, counts[groups == group].sum(axis=0))


def test_a_model_against_itself_gains_nothing(rng: np.random.Generator) -> None:
    one = share(rng.random(80) < 0.5, np.arange(80))
    assert one.against(one) == {"value": 0.0, "low": 0.0, "high": 0.0, "better": 0.0}


def test_pairs_tell_apart_what_single_intervals_cannot(rng: np.random.Generator) -> None:
    """Two models that differ on 12 of 400 wafers, always to the good of one."""
    hits = rng.random(400) < 0.5
    better = hits.copy()
    better[np.flatnonzero(~hits)[:12]] = True
    one, other = (share(h, np.arange(400)) for h in (better, hits))
    gain = one.against(other)
    assert gain["value"] == pytest.approx(12 / 400)
    assert gain["low"] is not None
    assert gain["low"] > 0
    assert gain["better"] == 1.0
    alone = other.figure()
    assert alone.low is not None
    assert alone.low < better.mean() - 12 / 400


def test_what_is_not_defined_is_none() -> None:
    nothing = Tally(np.zeros((0, 2)), quotient)
    assert nothing.figure() == Figure(None, None, None)
    assert nothing.against(nothing)["better"] is None
    zero = Tally(np.zeros((3, 2)), quotient)
    assert zero.figure() == Figure(None, None, None)


def test_trees_keep_their_shape() -> None:
    one = share(np.array([True, False]), np.arange(2))
    three = share(np.array([True, False, True]), np.arange(3))
    tree = {"a": one, "b": {"c": one, "n": 3}, "d": [1], "e": three}
    shown = figures_of(tree)
    assert shown["a"] == shown["b"]["c"] == one.figure().to_dict()
    assert (shown["b"]["n"], shown["d"]) == (3, [1])
    paired = gains(tree, {"a": one, "b": {"c": one}, "e": one, "f": one})
    assert paired == {"a": one.against(one), "b": {"c": one.against(one)}}
