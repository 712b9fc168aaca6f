"""Which wafers are due: the rule in words and the rule as instants agree on any wafer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.domain.retention import Cutoff, cutoffs, is_due

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PRODUCTS = st.sampled_from(["", "P1", "P2", "P3"])


@pytest.mark.parametrize(
    ("rules", "due"),
    [
        ({}, False),
        ({"": 10}, True),
        ({"": 100}, False),
        ({"P1": 10}, True),
        ({"P2": 10}, False),
        ({"": 10, "P1": 100}, False),
        ({"": 100, "P1": 10}, True),
    ],
)
def test_the_own_rule_goes_before_that_of_every_product(rules: dict[str, int], due: bool) -> None:
    assert is_due("P1", NOW - timedelta(days=50), rules, NOW) == due


def test_on_the_day_itself_it_is_still_kept() -> None:
    assert not is_due("P1", NOW - timedelta(days=10), {"": 10}, NOW)
    assert is_due("P1", NOW - timedelta(days=10, seconds=1), {"": 10}, NOW)


def covers(cutoff: Cutoff, product: str, arrived_at: datetime) -> bool:
    mine = product not in cutoff.but if cutoff.product is None else product == cutoff.product
    return mine and arrived_at < cutoff.before


@given(PRODUCTS, st.integers(0, 60), st.dictionaries(PRODUCTS, st.integers(1, 50)))
def test_instants_say_what_the_rules_say(product: str, age: int, rules: dict[str, int]) -> None:
    arrived_at = NOW - timedelta(days=age)
    covered = [covers(one, product, arrived_at) for one in cutoffs(rules, NOW)]
    assert sum(covered) == is_due(product, arrived_at, rules, NOW)
