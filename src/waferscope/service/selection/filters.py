"""The filters of wafers, as a query string gives them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Word = Annotated[str | None, Field(max_length=200)]
Level = Literal["low", "medium", "critical"]


class Wanted(BaseModel):
    """Which wafers: those that agree with all that is given. Deleted ones never do."""

    model_config = ConfigDict(frozen=True)

    product: Word = None
    lot: Word = Field(default=None, description="name of the lot")
    step: Word = None
    tester: Word = None
    label: str | None = Field(
        default=None, max_length=60, description="a pattern or a defect class found on the wafer"
    )
    severity: Level | None = None
    since: AwareDatetime | None = Field(
        default=None, description="tested then or later; arrived, where no test date is known"
    )
    until: AwareDatetime | None = Field(default=None, description="tested before that")
    text: str | None = Field(
        default=None, max_length=200, description="part of a wafer id, lot, product, step or tester"
    )

    @property
    def is_everything(self) -> bool:
        """Whether no filter is set."""
        return not any(value is not None for value in self.__dict__.values())


def _wanted(wanted: Annotated[Wanted, Query()]) -> Wanted:
    return wanted


Filters = Annotated[Wanted, Depends(_wanted)]
"""``wanted: Filters`` in a route gives it every filter of wafers."""
