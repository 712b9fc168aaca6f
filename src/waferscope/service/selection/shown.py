"""A wafer as every list shows it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from waferscope.service.schema import Answer


class WaferShown(Answer):
    """A wafer and what its last stored prediction says of it."""

    id: str
    name: str
    lot_id: str
    lot: str
    slot: int | None
    product: str
    step: str
    tester: str
    tested_at: datetime | None
    dated: datetime = Field(description="when it was tested, or came where nobody knows")
    format: str
    rows: int
    cols: int
    dies: int = Field(description="tested dies")
    fails: int = Field(description="failing dies")
    wafer_yield: float | None = Field(description="0 to 1; null without a tested die")
    prediction_id: str | None
    label: str = Field(description="the first pattern; empty for none, or before a prediction")
    severity: float | None = Field(description="0 to 100; null before a prediction")
    severity_level: str = Field(description="low, medium or critical; empty before a prediction")
    created_at: datetime
    deleted_at: datetime | None
