"""How often each class is found: ``/api/v1/trends``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from waferscope.domain.trends import Chart, build_ewma_chart, build_p_chart
from waferscope.errors import InputError
from waferscope.service.auth.identity import Viewer
from waferscope.service.db import Reads
from waferscope.service.selection.filters import OriginFilters
from waferscope.service.trends import store
from waferscope.service.trends.schemas import Charting, TrendPoint, TrendSeries, TrendsShown
from waferscope.service.trends.store import Group

router = APIRouter(prefix="/trends", tags=["trends"])


@router.get("")
def get_trends(
    who: Viewer, session: Reads, origin: OriginFilters, charting: Annotated[Charting, Query()]
) -> TrendsShown:
    """Chart the share of wafers with each class, within control limits.

    Counted are the last stored predictions of wafers that are not deleted.
    """
    groups = store.newest_groups(session, origin, charting)
    counts = store.count_labels(session, origin, charting, groups) if groups else {}
    if groups and charting.label is not None:
        counts.setdefault(charting.label, {})
    by_frequency = sorted(counts, key=lambda label: (-sum(counts[label].values()), label))
    return TrendsShown(
        by=charting.by,
        kind=charting.kind,
        chart=charting.chart,
        series=[_series(label, counts[label], groups, charting) for label in by_frequency],
    )


def _series(
    label: str, counts: dict[str, int], groups: list[Group], charting: Charting
) -> TrendSeries:
    found = [counts.get(group.key, 0) for group in groups]
    chart = _chart(found, groups, charting)
    points = [
        TrendPoint(
            group=group.key,
            name=group.name,
            product=group.product,
            at=group.at,
            wafers=group.wafers,
            count=found[i],
            rate=float(chart.rates[i]),
            value=float(chart.values[i]),
            lower=float(chart.lower[i]),
            upper=float(chart.upper[i]),
            flagged="above" if chart.above[i] else "below" if chart.below[i] else None,
        )
        for i, group in enumerate(groups)
    ]
    return TrendSeries(label=label, centre=chart.centre, points=points)


def _chart(found: list[int], groups: list[Group], charting: Charting) -> Chart:
    wafers = [group.wafers for group in groups]
    baseline = _baseline(groups, charting)
    if charting.chart == "p":
        return build_p_chart(found, wafers, sigmas=charting.sigmas, baseline=baseline)
    return build_ewma_chart(
        found, wafers, weight=charting.weight, sigmas=charting.sigmas, baseline=baseline
    )


def _baseline(groups: list[Group], charting: Charting) -> int | None:
    if charting.baseline_until is None:
        return None
    before = sum(group.at < charting.baseline_until for group in groups)
    if not before:
        raise InputError(
            f"Expected groups before {charting.baseline_until.isoformat()} for the baseline, got "
            "none. Take a later time, or more groups."
        )
    return before
