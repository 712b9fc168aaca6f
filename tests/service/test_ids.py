"""Identifiers: they sort by time and never repeat."""

from __future__ import annotations

import re
import time

import pytest

from waferscope.service.ids import new_id
from waferscope.service.tables.row import ID_LENGTH


def test_they_never_repeat_and_fit() -> None:
    made = {new_id("waf") for _ in range(10_000)}
    assert len(made) == 10_000
    assert all(re.fullmatch(r"waf_[0-9a-hjkmnp-tv-z]{26}", one) for one in made)
    assert len(new_id("hook")) <= ID_LENGTH


def test_they_sort_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for ms in (0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, 2**47):
        monkeypatch.setattr(time, "time_ns", lambda ms=ms: ms * 1_000_000)
        made.append(new_id("x"))
    assert made == sorted(made)
