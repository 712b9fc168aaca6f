"""The shape of a rule."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waferscope.service.retention.schemas import NewRule


def test_without_a_product_every_product_is_meant() -> None:
    assert NewRule(days=30).product == ""


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_days_have_bounds(days: int) -> None:
    with pytest.raises(ValidationError):
        NewRule(days=days)
