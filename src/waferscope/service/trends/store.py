"""The SQL of trends: wafers and classes counted by lot or by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from waferscope.service.selection.filters import Origin
from waferscope.service.selection.store import measured_at, narrow
from waferscope.service.tables import Wafer, WaferLabel
from waferscope.service.trends.schemas import By, Charting


@dataclass(frozen=True)
class Group:
    """The predicted wafers of one lot or day; ``at`` is when the first of them was tested."""

    key: str
    name: str
    product: str
    at: datetime
    wafers: int


def newest_groups(session: Session, origin: Origin, charting: Charting) -> list[Group]:
    """Return the newest groups of wafers that have a stored prediction, in order of time."""
    key = _key(session, charting.by)
    by_lot = charting.by == "lot"
    name = func.max(Wafer.lot) if by_lot else literal("")
    product = func.max(Wafer.product) if by_lot else literal("")
    at = func.min(measured_at)
    query = narrow(select(key, name, product, at, func.count()), origin)
    query = query.where(Wafer.prediction_id.is_not(None)).group_by(key)
    rows = session.execute(query.order_by(at.desc(), key.desc()).limit(charting.groups))
    found = [
        Group(str(key), name if by_lot else str(key), product, at, wafers)
        for key, name, product, at, wafers in rows
    ]
    return found[::-1]


def count_labels(
    session: Session, origin: Origin, charting: Charting, groups: list[Group]
) -> dict[str, dict[str, int]]:
    """Return how many wafers have each label, by label and key of the group."""
    key = _key(session, charting.by)
    query = narrow(select(WaferLabel.label, key, func.count()), origin)
    query = query.join(WaferLabel, WaferLabel.wafer_id == Wafer.id).where(
        Wafer.prediction_id.is_not(None), WaferLabel.kind == charting.kind
    )
    if charting.label is not None:
        query = query.where(WaferLabel.label == charting.label)
    if charting.by == "lot":
        query = query.where(Wafer.lot_id.in_([group.key for group in groups]))
    else:
        query = query.where(measured_at >= groups[0].at)
    counts: dict[str, dict[str, int]] = {}
    for label, group, count in session.execute(query.group_by(WaferLabel.label, key)):
        counts.setdefault(label, {})[str(group)] = count
    return counts


def _key(session: Session, by: By) -> ColumnElement[Any]:
    if by == "lot":
        return Wafer.lot_id.expression
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone("UTC", measured_at))
    return func.date(measured_at)  # kept in UTC there
