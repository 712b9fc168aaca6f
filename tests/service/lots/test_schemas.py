"""A lot as it is shown."""

from __future__ import annotations

from waferscope.service.lots.schemas import LotShown
from waferscope.service.lots.store import Counted
from waferscope.service.tables.row import now


def test_a_lot_without_wafers_has_no_yield() -> None:
    shown = LotShown.model_validate(Counted("lot_1", "L1", "P1", now(), now()))
    assert (shown.wafers, shown.mean_yield, shown.worst_severity) == (0, None, None)
    assert shown.patterns == shown.classes == shown.severity_levels == {}
