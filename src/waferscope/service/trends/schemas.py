"""What `trends` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from waferscope.domain.trends import SIGMAS, WEIGHT
from waferscope.service.moment import Moment
from waferscope.service.schema import Answer

By = Literal["lot", "day"]
Kind = Literal["pattern", "class"]
Kept = Literal["p", "ewma"]
DEFAULT_GROUPS = 60
MOST_GROUPS = 500


class Charting(BaseModel):
    """Which charts: of what, by what, and with which limits."""

    model_config = ConfigDict(frozen=True)

    by: By = Field(default="lot", description="one point per lot, or per day (UTC)")
    kind: Kind = Field(default="pattern", description="pattern labels or defect classes")
    label: str | None = Field(default=None, max_length=60, description="this one alone")
    chart: Kept = Field(
        default="p", description="`p`: each group by itself; `ewma`: moving average, for drifts"
    )
    groups: int = Field(
        default=DEFAULT_GROUPS, ge=1, le=MOST_GROUPS, description="the newest so many of them"
    )
    sigmas: float = Field(default=SIGMAS, gt=0, le=10, description="half the width of the limits")
    weight: float = Field(
        default=WEIGHT, gt=0, le=1, description="weight of the newest group in the moving average"
    )
    baseline_until: Moment | None = Field(
        default=None, description="groups before it make the centre line; all do by default"
    )


class TrendPoint(Answer):
    """One lot or day. ``count`` of its ``wafers`` with a stored prediction have the class.

    ``value`` is what is held against the limits: the rate, or the moving average. ``flagged``
    says on which side it left them, if it did.
    """

    group: str = Field(description="id of the lot, or the day")
    name: str = Field(description="name of the lot, or the day")
    product: str = Field(description="of the lot; empty for days")
    at: datetime = Field(description="when the first of its wafers was tested")
    wafers: int
    count: int
    rate: float
    value: float
    lower: float
    upper: float
    flagged: Literal["above", "below"] | None


class TrendSeries(Answer):
    """The control chart of one class, in order of time."""

    label: str
    centre: float = Field(description="rate of the baseline, the line in the middle")
    points: list[TrendPoint]


class TrendsShown(Answer):
    """The charts, that of the most frequent class first."""

    by: By
    kind: Kind
    chart: Kept
    series: list[TrendSeries]
