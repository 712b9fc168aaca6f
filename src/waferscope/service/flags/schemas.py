"""What `flags` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from waferscope.service.schema import Answer, Question

Note = Annotated[str, Field(min_length=1, max_length=10_000, description="what is wrong")]
Resolution = Literal["confirmed", "dismissed"]
State = Literal["open", "confirmed", "dismissed"]


class NewFlag(Question):
    """What is wrong with the prediction of a wafer; the last stored one unless another is named.

    ``label`` is the pattern or class that is wrong or missing; empty: the whole of it.
    """

    wafer_id: str = Field(min_length=1, max_length=40)
    prediction_id: str | None = Field(default=None, max_length=40)
    label: str = Field(default="", max_length=60)
    note: Note


class FlagChange(Question):
    """What is to change; what is left out stays."""

    label: str | None = Field(default=None, max_length=60)
    note: Note | None = None


class FlagAnswer(Question):
    """What a reviewer says: the prediction is wrong indeed, or it is not."""

    resolution: Resolution
    answer: str = Field(default="", max_length=10_000)


class FlagShown(Answer):
    """A flag, and what became of it. ``closed_by`` is the reviewer."""

    id: str
    wafer_id: str
    prediction_id: str | None
    user_id: str
    label: str
    note: str
    created_at: datetime
    state: State
    answer: str
    closed_at: datetime | None
    closed_by: str | None


class Sought(BaseModel):
    """Which flags: those that agree with all that is given."""

    model_config = ConfigDict(frozen=True)

    state: State | None = None
    wafer_id: str | None = Field(default=None, max_length=40)
    label: str | None = Field(default=None, max_length=60)
    user_id: str | None = Field(default=None, max_length=40, description="who set them")
