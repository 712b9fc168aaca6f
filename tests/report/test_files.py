"""A file is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from waferscope.report.files import whole_file


def test_a_finished_file_takes_its_name(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with whole_file(target) as draft:
        assert draft.suffix == ".csv"
        draft.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def stop_half_way(target: Path) -> None:
    with whole_file(target) as draft:
        draft.write_text("half")
        raise RuntimeError("stopped")


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="stopped"):
        stop_half_way(target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
