"""What a chart may be asked for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waferscope.service.trends.schemas import MOST_GROUPS, Charting


def test_a_chart_is_a_p_chart_of_patterns_by_lot_unless_told() -> None:
    asked = Charting()
    assert (asked.by, asked.kind, asked.chart, asked.sigmas) == ("lot", "pattern", "p", 3)
    with pytest.raises(ValidationError):
        Charting(groups=MOST_GROUPS + 1)
