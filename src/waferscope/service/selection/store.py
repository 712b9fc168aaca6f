"""The SQL of choosing wafers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Select, String, any_, exists, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from waferscope.errors import NotFoundError
from waferscope.service.selection.filters import Origin, Wanted
from waferscope.service.tables import Wafer, WaferLabel

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
COMMON: Final = 10_000
"""Wafers beyond which a part of a word is common."""
_SHORTEST: Final = 3
"""Letters of a trigram."""
_OTHER_WAYS: Final = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")

measured_at = Wafer.dated
"""When a wafer was tested; when it arrived, where nobody says when it was tested."""


def get_wafer(session: Session, wafer_id: str) -> Wafer:
    """Return a wafer. Raises NotFoundError for one that is unknown or deleted."""
    found = session.get(Wafer, wafer_id)
    if found is None or found.deleted_at is not None:
        raise NotFoundError(f"Expected the id of a wafer, got {wafer_id!r}. Look into the list.")
    return found


def is_live(wafer_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return that the wafer which a row is about is not deleted.

    Asked row by row: with a join SQLite would walk through all wafers there are.
    """
    return exists(select(Wafer.id).where(Wafer.id == wafer_id, Wafer.deleted_at.is_(None)))


def narrow(query: Query, wanted: Origin, *, deleted: bool = False) -> Query:
    """Return the query of wafers for those that are wanted and not deleted, or are deleted."""
    gone = Wafer.deleted_at.is_not(None) if deleted else Wafer.deleted_at.is_(None)
    conditions = [gone, *_by_origin(wanted)]
    if isinstance(wanted, Wanted):
        conditions += _by_findings(wanted)
    return query.where(*conditions)


def _by_origin(wanted: Origin) -> Iterator[ColumnElement[bool]]:
    for column, value in (
        (Wafer.product, wanted.product),
        (Wafer.lot, wanted.lot),
        (Wafer.step, wanted.step),
        (Wafer.tester, wanted.tester),
    ):
        if value is not None:
            yield column == value
    if wanted.since is not None:
        yield measured_at >= wanted.since
    if wanted.until is not None:
        yield measured_at < wanted.until
    if wanted.text is not None:
        yield Wafer.text.contains(wanted.text.lower(), autoescape=True)


def _by_findings(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.severity is not None:
        yield Wafer.severity_level == wanted.severity
    if wanted.label is not None:
        of_wafer = select(WaferLabel).where(
            WaferLabel.wafer_id == Wafer.id, WaferLabel.label == wanted.label
        )
        yield exists(of_wafer.correlate(Wafer))


def is_among_few(session: Session, text: str) -> ColumnElement[bool] | None:
    """Return that a wafer is one of those whose words hold a part, or None where it is common.

    PostgreSQL takes some parts of words for common that are not, and then looks through the whole
    list by date. So a part is looked up by itself first, with no way open but the index of
    trigrams; only what turns out to be common is left to the order of the list, where it is soon
    found.
    """
    if session.get_bind().dialect.name != "postgresql" or len(text) < _SHORTEST:
        return None
    query = select(Wafer.id).where(Wafer.text.contains(text.lower(), autoescape=True))
    session.execute(_set_ways("off"))
    found = session.scalars(query.limit(COMMON + 1)).all()
    session.execute(_set_ways("on"))
    if len(found) > COMMON:
        return None
    return Wafer.id == any_(literal(found, ARRAY(String)))


def _set_ways(state: str) -> Select[tuple[str, ...]]:
    """Return what opens or closes the other ways, until the transaction ends at most."""
    return select(*(func.set_config(way, state, True) for way in _OTHER_WAYS))
