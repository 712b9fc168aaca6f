"""What `causes` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from waferscope.service.schema import Answer, Question

CauseText = Annotated[
    str, Field(min_length=1, max_length=200, description="in a few words: `edge bead on track 3`")
]
Note = Annotated[str, Field(max_length=10_000, description="how it was found, what was done")]


class NewCause(Question):
    """What was found out about a wafer. ``label`` is the pattern or class that it explains."""

    wafer_id: str = Field(min_length=1, max_length=40)
    label: str = Field(default="", max_length=60)
    cause: CauseText
    note: Note = ""


class CauseChange(Question):
    """What is to change; what is left out stays."""

    label: str | None = Field(default=None, max_length=60)
    cause: CauseText | None = None
    note: Note | None = None


class CauseShown(Answer):
    """A cause, and who wrote it down."""

    id: str
    wafer_id: str
    user_id: str
    label: str
    cause: str
    note: str
    created_at: datetime
    updated_at: datetime


class Sought(BaseModel):
    """Which causes: those that agree with all that is given."""

    model_config = ConfigDict(frozen=True)

    wafer_id: str | None = Field(default=None, max_length=40)
    label: str | None = Field(default=None, max_length=60, description="what they explain")
    user_id: str | None = Field(default=None, max_length=40, description="who wrote them")
    text: str | None = Field(default=None, max_length=200, description="part of the cause")
