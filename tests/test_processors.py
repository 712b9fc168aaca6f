"""Processors: those that this process may use, and one where nothing is known."""

from __future__ import annotations

import pytest

from waferscope.processors import available_threads


def test_there_is_one_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_threads() >= 1
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert available_threads() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert available_threads() == 1
