"""What `lots` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from waferscope.service.schema import Answer


class LotShown(Answer):
    """A lot and what its wafers add up to; deleted ones do not count."""

    id: str
    name: str = Field(description="empty for wafers whose file names no lot")
    product: str
    wafers: int
    predicted: int = Field(description="wafers with a stored prediction")
    dies: int = Field(description="tested dies")
    fails: int = Field(description="failing dies")
    mean_yield: float | None = Field(description="of the wafers, 0 to 1; null without a die")
    worst_severity: float | None = Field(description="0 to 100; null before a prediction")
    severity_levels: dict[str, int] = Field(description="wafers of each level")
    patterns: dict[str, int] = Field(description="wafers with each pattern")
    classes: dict[str, int] = Field(description="wafers with dies in the mask of each class")
    created_at: datetime
    updated_at: datetime = Field(description="when a wafer came last")
