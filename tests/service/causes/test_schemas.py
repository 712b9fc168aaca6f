"""What counts as a cause."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waferscope.service.causes.schemas import CauseChange, NewCause


def test_a_cause_needs_a_wafer_and_a_text() -> None:
    made = NewCause(wafer_id="waf_1", cause="chuck")
    assert made.model_dump() == {"wafer_id": "waf_1", "label": "", "cause": "chuck", "note": ""}
    with pytest.raises(ValidationError):
        NewCause(wafer_id="", cause="chuck")
    with pytest.raises(ValidationError):
        NewCause(wafer_id="waf_1", cause="")


def test_a_change_names_only_what_changes() -> None:
    assert CauseChange(note="").model_dump(exclude_none=True) == {"note": ""}
    with pytest.raises(ValidationError, match="extra"):
        CauseChange.model_validate({"wafer_id": "waf_2"})
