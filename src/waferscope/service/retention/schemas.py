"""What `retention` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from waferscope.service.schema import Answer, Question


class NewRule(Question):
    """How long the wafers of a product are kept; it replaces the rule that is there."""

    product: str = Field(
        default="", max_length=200, description="empty: every product without a rule of its own"
    )
    days: int = Field(ge=1, le=36_500, description="days since a wafer came last")


class RuleShown(Answer):
    """A rule."""

    id: str
    product: str
    days: int
    user_id: str
    created_at: datetime
