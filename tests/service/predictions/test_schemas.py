"""Questions about predictions: what is refused at the door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from waferscope.service.predictions.schemas import (
    MOST_WAFERS,
    Asked,
    Options,
    PredictionShown,
    Rendering,
)
from waferscope.service.tables import Prediction


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"wafer_map_ids": []},
        {"wafers": []},
        {"wafer_map_ids": ["waf_1"], "wafers": [{"dies": [[1]]}]},
        {"wafer_map_ids": ["waf_1"] * (MOST_WAFERS + 1)},
        {"wafer_map_ids": ["waf_1"], "threshold": 0.5},
        {"wafer_map_ids": "waf_1"},
    ],
)
def test_a_question_names_wafers_in_one_way(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Asked.model_validate(asked)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), float("inf"), "much"])
def test_a_threshold_is_a_probability(threshold: object) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"threshold": threshold})


def test_options_have_the_defaults_that_are_documented() -> None:
    assert Options().model_dump() == {
        "masks": "rle",
        "polygons": False,
        "metrics": True,
        "threshold": None,
        "model": None,
    }
    with pytest.raises(ValidationError):
        Rendering.model_validate({"masks": "png"})


def test_a_row_is_shown_under_the_name_of_the_api() -> None:
    row = Prediction(
        id="pred_1",
        wafer_id="waf_1",
        user_id="usr_1",
        model_version="1",
        options={"threshold": None},
        labels=["Loc"],
        patterns={"Loc": 0.9},
        metrics={"affected": 3},
        severity=12.0,
        severity_level="low",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    shown = PredictionShown.model_validate(row).model_dump()
    assert shown["wafer_map_id"] == "waf_1"
    assert "wafer_id" not in shown
