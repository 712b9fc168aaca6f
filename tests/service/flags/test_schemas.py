"""What counts as a flag, and as an answer to one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waferscope.service.flags.schemas import FlagAnswer, FlagChange, NewFlag


def test_a_flag_says_what_is_wrong() -> None:
    made = NewFlag(wafer_id="waf_1", note="no scratch")
    assert (made.prediction_id, made.label) == (None, "")
    with pytest.raises(ValidationError):
        NewFlag(wafer_id="waf_1", note="")
    assert FlagChange(label="").model_dump(exclude_none=True) == {"label": ""}


def test_an_answer_is_yes_or_no() -> None:
    assert FlagAnswer(resolution="confirmed").answer == ""
    with pytest.raises(ValidationError):
        FlagAnswer.model_validate({"resolution": "open"})
