"""The filters of wafers, as a query string gives them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from waferscope.service.moment import Moment

Word = Annotated[str | None, Field(max_length=200)]
Level = Literal["low", "medium", "critical"]


class Origin(BaseModel):
    """Which wafers, by where and when they were tested; deleted ones are never meant."""

    model_config = ConfigDict(frozen=True)

    product: Word = None
    lot: Word = Field(default=None, description="name of the lot")
    step: Word = None
    tester: Word = None
    since: Moment | None = Field(
        default=None,
        description="tested then (a date: 0:00 UTC) or later; arrived, if no test date is known",
    )
    until: Moment | None = Field(default=None, description="tested before that")
    text: str | None = Field(
        default=None, max_length=200, description="part of a wafer id, lot, product, step or tester"
    )


class Wanted(Origin):
    """Which wafers, by what was found on them too: those that agree with all that is given."""

    label: str | None = Field(
        default=None, max_length=60, description="a pattern or a defect class found on the wafer"
    )
    severity: Level | None = None


EVERYTHING: Final = Wanted()
"""No filter at all: every wafer that is not deleted."""


def _origin(origin: Annotated[Origin, Query()]) -> Origin:
    return origin


def _wanted(wanted: Annotated[Wanted, Query()]) -> Wanted:
    return wanted


OriginFilters = Annotated[Origin, Depends(_origin)]
"""``origin: OriginFilters`` in a route gives it the filters by where and when."""
Filters = Annotated[Wanted, Depends(_wanted)]
"""``wanted: Filters`` in a route gives it every filter of wafers."""
