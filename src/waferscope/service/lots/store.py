"""The SQL of lots: lists, and counts over their wafers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.paging import Place
from waferscope.service.store import newest_first, sole
from waferscope.service.tables import Lot, Wafer, WaferLabel


@dataclass(frozen=True)
class Counted:
    """A lot and what its wafers add up to."""

    id: str
    name: str
    product: str
    created_at: datetime
    updated_at: datetime
    wafers: int = 0
    predicted: int = 0
    dies: int = 0
    fails: int = 0
    mean_yield: float | None = None
    worst_severity: float | None = None
    severity_levels: dict[str, int] = field(default_factory=dict)
    patterns: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)


def list_lots(session: Session, place: Place, product: str | None, text: str | None) -> list[Lot]:
    """Return one lot with wafers more than the page has room for, newest first."""
    there = select(Wafer.id).where(Wafer.lot_id == Lot.id, Wafer.deleted_at.is_(None))
    query = select(Lot).where(there.exists())
    if product is not None:
        query = query.where(Lot.product == product)
    if text is not None:
        query = query.where(Lot.name.regexp_match(in_any_case(text)))
    return list(session.scalars(newest_first(query, Lot.id, place)))


def in_any_case(text: str) -> str:
    """Return the regular expression of a text in capitals or not.

    It leaves no letter's case to the database: SQLite knows that of ASCII alone, and PostgreSQL
    that of its locale.

    >>> in_any_case("äl1")
    '[Ää][Ll]1'
    """
    return "".join(map(_any_case, text))


def _any_case(sign: str) -> str:
    ways = sorted({way for way in (sign, sign.lower(), sign.upper()) if len(way) == 1})
    return re.escape(sign) if len(ways) == 1 else f"[{''.join(ways)}]"


def get_lot(session: Session, lot_id: str) -> Lot:
    """Return a lot. Raises NotFoundError."""
    found = session.get(Lot, lot_id)
    if found is None:
        raise NotFoundError(f"Expected the id of a lot, got {lot_id!r:.60}. Look into the list.")
    return found


def list_wafers(session: Session, lot_id: str, place: Place) -> list[Wafer]:
    """Return one wafer of a lot more than the page has room for, in the order they came."""
    query = select(Wafer).where(Wafer.lot_id == lot_id, Wafer.deleted_at.is_(None))
    if place.after:
        query = query.where(Wafer.id > sole(place.after, str))
    return list(session.scalars(query.order_by(Wafer.id).limit(place.limit + 1)))


def count_lots(session: Session, lots: Sequence[Lot]) -> list[Counted]:
    """Return what the wafers of lots add up to, lot by lot."""
    ids = [lot.id for lot in lots]
    sums = _sums(session, ids)
    levels, found = _levels(session, ids), _labels(session, ids)
    return [
        Counted(
            id=lot.id,
            name=lot.name,
            product=lot.product,
            created_at=lot.created_at,
            updated_at=lot.updated_at,
            severity_levels=levels[lot.id],
            patterns=found[lot.id, "pattern"],
            classes=found[lot.id, "class"],
            **sums.get(lot.id, {}),
        )
        for lot in lots
    ]


def _sums(session: Session, ids: Sequence[str]) -> dict[str, dict[str, int]]:
    tested = case((Wafer.dies > 0, Wafer.yield_share))
    query = select(
        Wafer.lot_id,
        func.count().label("wafers"),
        func.count(Wafer.prediction_id).label("predicted"),
        func.sum(Wafer.dies).label("dies"),
        func.sum(Wafer.fails).label("fails"),
        func.avg(tested).label("mean_yield"),
        func.max(Wafer.severity).label("worst_severity"),
    ).where(Wafer.lot_id.in_(ids), Wafer.deleted_at.is_(None))
    rows = session.execute(query.group_by(Wafer.lot_id)).mappings()
    return {row["lot_id"]: {k: v for k, v in row.items() if k != "lot_id"} for row in rows}


def _levels(session: Session, ids: Sequence[str]) -> defaultdict[str, dict[str, int]]:
    query = select(Wafer.lot_id, Wafer.severity_level, func.count()).where(
        Wafer.lot_id.in_(ids), Wafer.deleted_at.is_(None), Wafer.severity_level != ""
    )
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for lot_id, level, count in session.execute(query.group_by(Wafer.lot_id, Wafer.severity_level)):
        counts[lot_id][level] = count
    return counts


def _labels(session: Session, ids: Sequence[str]) -> defaultdict[tuple[str, str], dict[str, int]]:
    kinds = (Wafer.lot_id, WaferLabel.kind, WaferLabel.label)
    query = (
        select(*kinds, func.count())
        .join(WaferLabel, WaferLabel.wafer_id == Wafer.id)
        .where(Wafer.lot_id.in_(ids), Wafer.deleted_at.is_(None))
        .group_by(*kinds)
        .order_by(func.count().desc(), WaferLabel.label)
    )
    counts: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for lot_id, kind, label, count in session.execute(query):
        counts[lot_id, kind][label] = count
    return counts
