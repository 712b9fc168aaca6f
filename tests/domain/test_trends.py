"""Control charts against the published examples, scipy's filter and sums written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from waferscope.domain.trends import build_ewma_chart, build_p_chart
from waferscope.errors import InputError

# Montgomery, Introduction to Statistical Quality Control, the purchase-order example for samples of
# varying size: 25 weeks, orders of each and how many of them were in error.
ORDERS = [
    *(100, 80, 80, 100, 110, 110, 100, 100, 90, 90, 110, 120, 120),
    *(120, 110, 80, 80, 80, 90, 100, 100, 100, 100, 90, 90),
]
ERRORS = [
    *(12, 8, 6, 9, 10, 12, 11, 16, 10, 6, 20, 15, 9),
    *(8, 6, 8, 10, 7, 5, 8, 5, 8, 10, 6, 9),
]

GROUPS = st.lists(
    st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=1,
    max_size=12,
)


def test_the_published_p_chart_of_samples_of_varying_size() -> None:
    chart = build_p_chart(ERRORS, ORDERS)
    assert chart.centre == pytest.approx(234 / 2450)  # printed as 0.096
    assert chart.rates[10] == pytest.approx(0.182, abs=5e-4)
    assert chart.upper[10] == pytest.approx(0.180, abs=1e-3)
    assert chart.upper[1] == pytest.approx(0.195, abs=1e-3)
    assert chart.lower[0] == pytest.approx(0.007, abs=1e-3)
    assert np.flatnonzero(chart.above).tolist() == [10]  # week 11 alone
    assert not chart.below.any()


def test_the_published_limits_of_a_moving_average() -> None:
    # The worked example with weight 0.1 and 2.7 sigmas around 10 with a deviation of 1: limits
    # 10.27 and 10.36 for the first two groups, 10.62 in the end.
    chart = build_ewma_chart([50] * 400, [100] * 400, weight=0.1, sigmas=2.7)
    deviation = math.sqrt(0.5 * 0.5 / 100)
    widths = (chart.upper - chart.centre) / deviation
    assert widths[0] == pytest.approx(0.27, abs=1e-9)
    assert widths[1] == pytest.approx(0.36, abs=5e-3)
    assert widths[-1] == pytest.approx(0.62, abs=5e-3)
    assert widths[-1] == pytest.approx(2.7 * math.sqrt(0.1 / 1.9), abs=1e-9)


@given(GROUPS, st.floats(0.05, 1.0))
def test_a_moving_average_is_a_filter_with_the_variance_of_its_sum(
    groups: list[tuple[int, int]], weight: float
) -> None:
    counts, totals = zip(*groups, strict=True)
    chart = build_ewma_chart(counts, totals, weight=weight)
    rates = np.array(counts) / np.array(totals)
    filtered = lfilter([weight], [1, -(1 - weight)], rates - chart.centre) + chart.centre
    np.testing.assert_allclose(chart.values, filtered, atol=1e-12)
    for i in range(len(counts)):
        parts = [
            (weight * (1 - weight) ** (i - j)) ** 2 * chart.centre * (1 - chart.centre) / totals[j]
            for j in range(i + 1)
        ]
        wide = 3 * math.sqrt(sum(parts))
        assert chart.upper[i] == pytest.approx(min(1.0, chart.centre + wide), abs=1e-12)
        assert chart.lower[i] == pytest.approx(max(0.0, chart.centre - wide), abs=1e-12)


@given(GROUPS)
def test_a_weight_of_one_gives_the_p_chart(groups: list[tuple[int, int]]) -> None:
    counts, totals = zip(*groups, strict=True)
    each, moving = build_p_chart(counts, totals), build_ewma_chart(counts, totals, weight=1.0)
    for name in ("rates", "values", "lower", "upper"):
        np.testing.assert_allclose(getattr(each, name), getattr(moving, name), atol=1e-12)


def test_as_few_false_alarms_as_three_sigmas_promise() -> None:
    rng = np.random.default_rng(7)
    totals = rng.integers(400, 800, 4000)
    chart = build_p_chart(rng.binomial(totals, 0.3).tolist(), totals.tolist())
    assert 0 < (chart.above | chart.below).mean() < 2 * 0.0027


def test_a_drift_is_seen_by_the_moving_average_before_any_group_stands_out() -> None:
    counts, totals = [10] * 10 + [14] * 8, [100] * 18
    assert not build_p_chart(counts, totals, baseline=10).above.any()
    assert build_ewma_chart(counts, totals, baseline=10).above[10:].any()


def test_a_baseline_keeps_an_excursion_out_of_the_centre() -> None:
    chart = build_p_chart([1, 1, 1, 20, 20], [25] * 5, baseline=3)
    assert chart.centre == pytest.approx(3 / 75)
    assert chart.above.tolist() == [False, False, False, True, True]


def test_a_rate_that_falls_is_below() -> None:
    chart = build_p_chart([50] * 9 + [10], [100] * 10, baseline=9)
    assert chart.below.tolist() == [False] * 9 + [True]


@given(st.booleans(), st.integers(1, 50), st.floats(0.01, 1.0))
def test_a_class_on_no_wafer_or_on_all_flags_nothing(all_: bool, n: int, weight: float) -> None:
    counts, totals = [n * all_] * 20, [n] * 20
    for chart in (build_p_chart(counts, totals), build_ewma_chart(counts, totals, weight=weight)):
        assert not chart.above.any()
        assert not chart.below.any()


@pytest.mark.parametrize(
    ("counts", "totals"),
    [([], []), ([1], [1, 2]), ([2], [1]), ([-1], [1]), ([0], [0])],
    ids=["nothing", "uneven", "more than all", "negative", "empty group"],
)
def test_what_cannot_be_counted_is_refused(counts: list[int], totals: list[int]) -> None:
    for build in (build_p_chart, build_ewma_chart):
        with pytest.raises(InputError, match="Expected"):
            build(counts, totals)


def test_a_weight_or_baseline_of_nothing_is_refused() -> None:
    for weight in (0.0, 1.5, math.nan):
        with pytest.raises(InputError, match="weight"):
            build_ewma_chart([1], [2], weight=weight)
    with pytest.raises(InputError, match="baseline"):
        build_p_chart([1], [2], baseline=0)
