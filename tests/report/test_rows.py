"""Rows: the figures of a wafer, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.hand_made import build_prediction, disc
from waferscope.report.rows import build_row

CENTER = {"center": np.s_[6:9, 6:9]}


def test_row_counts_dies_by_class_and_once_together() -> None:
    zones = {"center": np.s_[6:9, 6:9], "ring": np.s_[8:10, 6:9]}
    prediction = build_prediction(zones, ["Center"], fails=[(0, 7), (14, 7)], wafer_id="W1")
    row = build_row(prediction)
    assert row.die_count == np.count_nonzero(disc())
    assert row.fail_count == 9 + 3 + 2
    assert dict(row.present) == {"center": 9, "ring": 6}
    assert row.lost_dies == 12
    assert [name for name, _ in row.labels] == ["Center"]
    assert row.labels[0][1] == pytest.approx(0.9)
    assert row.defect_count == 2
    assert row.wafer_yield == 1 - 14 / row.die_count


def test_present_classes_come_with_most_dies_first() -> None:
    row = build_row(build_prediction({"edge": np.s_[0:2, 5:8], "center": np.s_[6:10, 6:10]}))
    assert [name for name, _ in row.present] == ["center", "edge"]


def test_severity_follows_the_lost_dies() -> None:
    row = build_row(build_prediction(CENTER, ["Center"], wafer_id="W1", lot_id="L", notes=("a",)))
    assert row.severity == pytest.approx(80 * (9 / row.die_count / 0.25) ** 0.5)
    assert row.severity_level == "low"
    assert (row.wafer_id, row.lot_id, row.notes) == ("W1", "L", ("a",))


def test_a_wafer_without_dies_has_no_yield() -> None:
    row = build_row(build_prediction(dies=np.zeros((5, 5), dtype=np.uint8)))
    assert math.isnan(row.wafer_yield)
    assert list(row.present) == []
    assert row.severity == 0


def test_conflicts_are_carried() -> None:
    row = build_row(build_prediction(CENTER, []))
    assert len(row.conflicts) == 1
    assert "center" in row.conflicts[0]
