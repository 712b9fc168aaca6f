"""Counts: wafers added by hand, and texts that are alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hand_made import build_prediction
from waferscope.report import counts as counts_file
from waferscope.report.counts import GridStack, LotCounts, count_wafer, without_figures
from waferscope.report.rows import build_row
from waferscope.report.summary import summarise


def test_counts_of_two_wafers() -> None:
    counts = LotCounts(8)
    for zones in ({"center": np.s_[6:9, 6:9]}, {}):
        prediction = build_prediction(zones, ["Center"] if zones else [])
        defects = np.zeros(8, dtype=np.int64)
        defects[1] = len(zones)
        count_wafer(counts, build_row(prediction), defects)
    assert (counts.wafers, counts.fails, counts.lost_dies, counts.clean) == (2, 9, 9, 1)
    assert counts.class_dies.tolist() == [0, 9, 0, 0, 0, 0, 0, 0]
    assert counts.class_wafers[1] == counts.class_defects[1] == 1
    assert counts.mean_yield == pytest.approx(1 - 9 / counts.dies)
    assert counts.labels == {"Center": 1}


def test_nothing_counted_has_no_yield_and_no_loss() -> None:
    counts = LotCounts(8)
    assert np.isnan(counts.mean_yield)
    assert (counts.mean_severity, counts.yield_loss) == (0.0, 0.0)


def test_rates_are_undefined_where_no_wafer_has_a_die() -> None:
    stack = GridStack(2, np.array([[2, 0]], np.int32), np.array([[1, 0]], np.int32))
    assert stack.rates[0, 0] == 0.5
    assert np.isnan(stack.rates[0, 1])


def test_a_stack_counts_each_position(rng: np.random.Generator) -> None:
    grids = rng.integers(0, 3, (7, 4, 5)).astype(np.uint8)
    stack = GridStack.empty((4, 5))
    for dies in grids:
        stack.add(dies)
    assert stack.wafers == 7
    assert stack.tested.tolist() == (grids > 0).sum(axis=0).tolist()
    assert stack.fails.tolist() == (grids == 2).sum(axis=0).tolist()


def test_conflicts_that_differ_in_figures_alone_are_alike() -> None:
    texts = [
        "Labelled Donut (0.83), but no die is marked ring.",
        "Labelled Donut (0.51), but no die is marked ring.",
        "1 die is marked edge, but the wafer is not labelled Edge-Loc (0.10).",
        "1,204 dies are marked edge, but the wafer is not labelled Edge-Loc (0.22).",
    ]
    assert len({without_figures(text) for text in texts}) == 2


def test_endless_different_notes_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_file, "MAX_REMARKS", 3)
    found = summarise([build_prediction(notes=(f"note {k}",)) for k in range(9)])
    assert len(found.notes) == 4
    assert found.notes[counts_file.FURTHER].wafers == 6
