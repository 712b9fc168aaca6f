"""Charts: lengths, ranks and printed figures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hand_made import build_prediction
from waferscope.report.charts import percent, rate, whole
from waferscope.report.summary import summarise
from waferscope.report.view import build_view

CENTER = {"center": np.s_[6:9, 6:9]}


@pytest.mark.parametrize(
    ("share", "shown"), [(0.1234, "12.3\u202f%"), (float("nan"), "–"), (1.0, "100.0\u202f%")]
)
def test_percent(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_axis_rates_are_short() -> None:
    assert [rate(s) for s in (0, 0.042, 0.31)] == ["0\u202f%", "4.2\u202f%", "31\u202f%"]


def test_whole_parts_thousands() -> None:
    assert whole(12167) == "12,167"


def test_bars_are_ranked_and_none_comes_last() -> None:
    made = [build_prediction(CENTER, ["Loc"]) for _ in range(2)]
    made += [build_prediction(CENTER, ["Center", "Loc"]), build_prediction()]
    bars = build_view(summarise(made)).patterns
    assert [bar.name for bar in bars] == ["Loc", "Center", "none"]
    assert [bar.cells[0] for bar in bars] == ["3", "1", "1"]
    assert [bar.length for bar in bars] == pytest.approx([1, 1 / 3, 1 / 3])


def test_losses_show_each_class_and_the_rest() -> None:
    view = build_view(summarise([build_prediction(CENTER, fails=[(0, 7), (1, 7)])]))
    assert [bar.name for bar in view.losses] == ["center", "no class"]
    assert [bar.cells[1] for bar in view.losses] == ["9", "2"]
    assert view.losses[1].length == pytest.approx(2 / 9)
    assert view.columns == (1,)


def test_stack_names_the_worst_die_and_radial_starts_at_the_centre() -> None:
    view = build_view(summarise([build_prediction(fails=[(3, 7)]), build_prediction()]))
    assert view.stack is not None
    assert view.stack.worst == "row 3, column 7"
    assert view.stack.top == 0.5
    assert view.radial is not None
    assert view.radial.path.startswith("M4.2 40.00")


def test_a_lot_without_a_fail_has_no_worst_die() -> None:
    stack = build_view(summarise([build_prediction()])).stack
    assert stack is not None
    assert (stack.top, stack.worst) == (0.0, "")
