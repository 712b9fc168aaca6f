"""The report of a lot: how large it may be, and that nothing of it may reach out."""

from __future__ import annotations

import pytest

from waferscope.errors import NotFoundError, SizeError
from waferscope.service.pictures.report import CONTENT, MOST_WAFERS, check_size
from waferscope.service.pictures.store import Stored


def test_the_size_of_a_report() -> None:
    some = [Stored(str(number), "", "") for number in range(MOST_WAFERS + 1)]
    check_size(some[:MOST_WAFERS])
    with pytest.raises(SizeError, match="format zip"):
        check_size(some)
    with pytest.raises(NotFoundError):
        check_size([])


def test_a_report_has_neither_login_nor_network() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in CONTENT.split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    assert "allow-same-origin" not in rules["sandbox"]
