"""What the template is given: titles, figures, bars."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tests.hand_made import build_prediction
from waferscope.errors import InputError
from waferscope.report.summary import LotSummary, summarise
from waferscope.report.view import build_view

CENTER = {"center": np.s_[6:9, 6:9]}


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


def test_facts_known_of_some_wafers_say_of_how_many() -> None:
    day = datetime(2026, 5, 4, tzinfo=UTC)
    made = [build_prediction(product="P", tested_at=day), build_prediction(), build_prediction()]
    facts = dict(build_view(summarise(made)).facts)
    assert facts["Product"] == "P (1 of 3 wafers)"
    assert facts["Tested"] == "2026-05-04 (1 of 3 wafers)"


def test_lots_with_the_highest_loss_come_first() -> None:
    made = [build_prediction(lot_id="good"), build_prediction(CENTER, ["Center"], lot_id="bad")]
    lots = build_view(summarise(made)).lots
    assert [(name, label) for name, _, label in lots] == [("bad", "Center (1)"), ("good", "none")]


def test_a_lot_without_dies_has_no_map() -> None:
    view = build_view(summarise([build_prediction(dies=np.zeros((4, 4), dtype=np.uint8))]))
    assert view.stack is None
    assert view.radial is None


def test_an_empty_summary_has_no_view() -> None:
    with pytest.raises(InputError, match="at least one prediction"):
        build_view(LotSummary())
