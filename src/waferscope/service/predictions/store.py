"""The SQL of predictions: stored wafers to predict, and predictions that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, and_, bindparam, select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.paging import Place
from waferscope.service.predicted.draft import Choices
from waferscope.service.store import newest_first
from waferscope.service.tables import Prediction, Wafer


@dataclass(frozen=True)
class Stored:
    """A stored wafer, and its prediction by a model under some choices if that is kept."""

    wafer_id: str
    blob: str
    prediction_id: str | None = None
    prediction_blob: str | None = None


_KEPT: Final = and_(
    Prediction.wafer_id == Wafer.id,
    Prediction.model_version == bindparam("model"),
    Prediction.options_sha == bindparam("choices"),
)
# Built once: building it takes as long as running it, and every request to predict asks.
_STORED: Final = (
    select(Wafer.id, Wafer.blob, Prediction.id, Prediction.blob)
    .join(Prediction, _KEPT, isouter=True)
    .where(Wafer.id.in_(bindparam("ids", expanding=True)), Wafer.deleted_at.is_(None))
)


def stored_wafers(
    records: Session | Connection, ids: Sequence[str], model_version: str, choices: Choices
) -> list[Stored]:
    """Return stored wafers in the order of their ids. Raises NotFoundError, naming the others."""
    wanted = {"ids": list(ids), "model": model_version, "choices": choices.sha256}
    rows = records.execute(_STORED, wanted)
    found = {row[0]: Stored(*row) for row in rows}
    missing = [wafer_id for wafer_id in ids if wafer_id not in found]
    if missing:
        raise NotFoundError(
            f"Expected ids of wafers, got {', '.join(missing[:5])}"
            f"{' and others' if len(missing) > 5 else ''}. Look into the list of wafers."
        )
    return [found[wafer_id] for wafer_id in ids]


def kept_prediction(session: Session, prediction_id: str) -> Stored:
    """Return a kept prediction and its wafer. Raises NotFoundError."""
    row = session.execute(
        select(Wafer.id, Wafer.blob, Prediction.id, Prediction.blob)
        .join(Prediction, Prediction.wafer_id == Wafer.id)
        .where(Prediction.id == prediction_id, Wafer.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Expected the id of a prediction, got {prediction_id!r:.60}. Look into the list."
        )
    return Stored(*row)


def list_predictions(
    session: Session, place: Place, wanted: Mapping[str, str | None]
) -> list[Prediction]:
    """Return one prediction more than the page has room for, newest first.

    ``wanted`` maps columns to what they have to be; None stands for anything.
    """
    query = select(Prediction).join(Wafer, Wafer.id == Prediction.wafer_id)
    query = query.where(Wafer.deleted_at.is_(None))
    for column, value in wanted.items():
        if value is not None:
            query = query.where(Prediction.__table__.c[column] == value)
    return list(session.scalars(newest_first(query, Prediction.id, place)))
