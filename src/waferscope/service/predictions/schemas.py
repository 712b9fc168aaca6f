"""What `predictions` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from waferscope.service.predictions.inline import WaferGiven
from waferscope.service.predictions.record import Record
from waferscope.service.schema import Answer, Question

MOST_WAFERS: Final = 100
"""Wafers of one request; a batch takes more."""


class Rendering(Question):
    """How much of a prediction is answered."""

    masks: Literal["rle", "none"] = Field(
        default="rle", description="masks as COCO run lengths, or none"
    )
    polygons: bool = Field(default=False, description="add the outline of each defect")
    metrics: bool = Field(default=True, description="add the figures of the whole wafer")


class Options(Rendering):
    """How to predict, and how much of it is answered."""

    threshold: float | None = Field(
        default=None, ge=0, le=1, description="mask threshold of all classes; else the model's"
    )
    model: str | None = Field(
        default=None, max_length=60, description="version of the model; else the one served"
    )


class PredictParameters(Options):
    """The parameters of ``POST /predict``."""

    store: bool = Field(default=False, description="keep the predictions of stored wafers")
    file_name: str = Field(default="", max_length=200, description="name of a file sent raw")


class Asked(Question):
    """Stored wafers by their ids, or wafers inline."""

    wafer_map_ids: list[str] | None = Field(default=None, min_length=1, max_length=MOST_WAFERS)
    wafers: list[WaferGiven] | None = Field(default=None, min_length=1, max_length=MOST_WAFERS)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.wafer_map_ids is None) == (self.wafers is None):
            raise ValueError("expected either wafer_map_ids or wafers")
        return self


class PredictedWafer(Answer):
    """A wafer and what the model says of it."""

    wafer_map_id: str | None = Field(description="null for a wafer that is not stored")
    prediction_id: str | None = Field(description="null for a prediction that is not kept")
    prediction: Record


class Predicted(Answer):
    """Predictions, in the order of the wafers that were asked for."""

    model_version: str
    predictions: list[PredictedWafer]


class PredictionShown(Answer):
    """A kept prediction, without its masks and defects."""

    id: str
    wafer_map_id: str = Field(validation_alias="wafer_id")
    model_version: str
    options: dict[str, Any]
    labels: list[str]
    patterns: dict[str, float]
    metrics: dict[str, Any]
    severity: float
    severity_level: str
    created_at: datetime
