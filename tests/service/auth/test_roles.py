"""The order of roles."""

from __future__ import annotations

import itertools

import pytest

from waferscope.service.auth.roles import Role, lesser

ORDER = ["viewer", "annotator", "engineer", "admin"]


@pytest.mark.parametrize(("one", "other"), itertools.product(ORDER, ORDER))
def test_each_covers_those_before_it(one: str, other: str) -> None:
    assert Role(one).covers(Role(other)) == (ORDER.index(one) >= ORDER.index(other))
    assert lesser(Role(one), Role(other)) == ORDER[min(ORDER.index(one), ORDER.index(other))]
