"""What the template is given: titles, figures, bars."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hand_made import build_prediction
from waferscope.report.summary import LotSummary, summarise
from waferscope.report.view import build_view, percent, rate, whole

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


def test_one_lot_gives_the_title() -> None:
    view = build_view(summarise([build_prediction(lot_id="A7")]))
    assert view.title == "Lot A7"
    assert ("Wafers", "1") in view.facts
    assert ("Model", "hand-1") in view.facts


def test_other_titles() -> None:
    unnamed = summarise([build_prediction()])
    assert "without" in build_view(unnamed).title
    assert build_view(unnamed, title="Mine").title == "Mine"
    two = summarise([build_prediction(lot_id=name) for name in "AB"])
    assert build_view(two).title == "2 lots"
    assert ("Lots", "2") in build_view(two).facts


def test_many_products_are_cut_short() -> None:
    made = [build_prediction(product=f"P{k}") for k in range(5)]
    facts = dict(build_view(summarise(made)).facts)
    assert facts["Product"] == "P0, P1, P2 and 2 more"


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


def test_lots_with_the_highest_loss_come_first() -> None:
    made = [build_prediction(lot_id="good"), build_prediction(CENTER, ["Center"], lot_id="bad")]
    lots = build_view(summarise(made)).lots
    assert [(name, label) for name, _, label in lots] == [("bad", "Center (1)"), ("good", "none")]


def test_stack_names_the_worst_die_and_radial_starts_at_the_centre() -> None:
    view = build_view(summarise([build_prediction(fails=[(3, 7)]), build_prediction()]))
    assert view.stack is not None
    assert view.stack.worst == "row 3, column 7"
    assert view.stack.top == 0.5
    assert view.radial is not None
    assert view.radial.path.startswith("M4.2 40.00")


def test_a_lot_without_dies_has_no_map() -> None:
    view = build_view(summarise([build_prediction(dies=np.zeros((4, 4), dtype=np.uint8))]))
    assert view.stack is None
    assert view.radial is None


def test_an_empty_summary_has_no_view() -> None:
    with pytest.raises(ValueError, match="without a wafer"):
        build_view(LotSummary())
