"""The SQL of embeddings: what is new, what fits a filter, what candidates look like exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.selection.filters import EVERYTHING, Wanted
from waferscope.service.selection.store import narrow
from waferscope.service.tables import Cause, Embedding, Wafer, WaferLabel
from waferscope.service.vectors import SEGMENT, Floats, Numbers

STATEMENT: Final = 5_000
"""Values of one statement; both databases take more."""
READ_AT_ONCE: Final = SEGMENT
"""Embeddings that are read by one statement, which names a range: 17 MB of 256 components."""


@dataclass(frozen=True)
class Candidate:
    """A wafer that may be near: ``vector`` float32 ``[d]`` of full precision."""

    number: int
    vector: Floats
    wafer: Wafer


def get_embedding(session: Session, wafer_id: str, model_version: str | None) -> Embedding:
    """Return the newest embedding of a wafer, or that of a model. Raises NotFoundError."""
    query = narrow(select(Embedding).join(Wafer), EVERYTHING).where(Wafer.id == wafer_id)
    if model_version is not None:
        query = query.where(Embedding.model_version == model_version)
    found = session.scalar(query.order_by(Embedding.number.desc()).limit(1))
    if found is None:
        by = f" by model {model_version!r}" if model_version else ""
        raise NotFoundError(
            f"Expected a wafer with a stored prediction{by}, got {wafer_id!r}. Predict it first."
        )
    return found


def size_of(session: Session, model_version: str) -> int:
    """Return how many components the embeddings of a model have. Raises NotFoundError."""
    query = select(Embedding.size).where(Embedding.model_version == model_version)
    found = session.scalar(query.limit(1))
    if found is None:
        raise NotFoundError(
            f"Expected a model that wafers were predicted by, got {model_version!r}. "
            "Take `model_version` of a prediction."
        )
    return found


def numbers_after(
    session: Session, model_version: str, after: int, limit: int
) -> list[tuple[int, datetime]]:
    """Return the next numbers of a model's embeddings and when they were made, rising."""
    query = select(Embedding.number, Embedding.created_at).where(
        Embedding.model_version == model_version, Embedding.number > after
    )
    return list(session.execute(query.order_by(Embedding.number).limit(limit)).tuples())


def tally_after(session: Session, model_version: str, after: int) -> tuple[int, int]:
    """Return how many numbers follow, and their sum: another one when any row came or went."""
    query = select(func.count(), func.coalesce(func.sum(Embedding.number), 0)).where(
        Embedding.model_version == model_version, Embedding.number > after
    )
    count, total = session.execute(query).one()
    return count, int(total)


def vectors_of(
    session: Session, model_version: str, numbers: Sequence[int]
) -> Iterator[tuple[Numbers, Floats]]:
    """Yield embeddings under rising numbers, some thousand at a time; also such in between."""
    for part in _parts(numbers, READ_AT_ONCE):
        query = select(Embedding.number, Embedding.vector).where(
            Embedding.model_version == model_version,
            Embedding.number.between(part[0], part[-1]),
        )
        rows = session.execute(query).all()
        if rows:
            vectors = np.frombuffer(b"".join(row.vector for row in rows), dtype="<f4")
            given = np.array([row.number for row in rows], dtype=np.int64)
            yield given, vectors.reshape(len(rows), -1)


def matching_numbers(
    session: Session, model_version: str, wanted: Wanted, limit: int | None
) -> Numbers:
    """Return the numbers of the embeddings of wafers that are wanted, ``limit`` at most."""
    query = narrow(select(Embedding.number).join(Wafer), wanted)
    query = query.where(Embedding.model_version == model_version)
    return np.array(session.scalars(query.limit(limit)).all(), dtype=np.int64)


def candidates(session: Session, numbers: Numbers, wanted: Wanted) -> list[Candidate]:
    """Return those of the embeddings whose wafers are wanted, in no order.

    Each wafer is looked up by its id: joined, SQLite would walk through all that are not deleted.
    """
    fits = narrow(select(Wafer.id), wanted).where(Wafer.id == Embedding.wafer_id)
    columns = (Embedding.number, Embedding.vector, Embedding.wafer_id)
    query = select(*columns).where(exists(fits.correlate(Embedding)))
    found = []
    for part in _parts(numbers.tolist(), STATEMENT):
        rows = session.execute(query.where(Embedding.number.in_(part))).all()
        ids = [row.wafer_id for row in rows]
        wafers = {one.id: one for one in session.scalars(select(Wafer).where(Wafer.id.in_(ids)))}
        found += [
            Candidate(row.number, np.frombuffer(row.vector, dtype="<f4"), wafers[row.wafer_id])
            for row in rows
            if row.wafer_id in wafers  # purged meanwhile
        ]
    return found


def known_numbers(session: Session, numbers: Numbers) -> Numbers:
    """Return those of the numbers that the records still have."""
    found: list[int] = []
    for part in _parts(numbers.tolist(), STATEMENT):
        found += session.scalars(select(Embedding.number).where(Embedding.number.in_(part)))
    return np.array(found, dtype=np.int64)


def labels_of(session: Session, wafer_ids: Sequence[str]) -> dict[str, list[WaferLabel]]:
    """Return the labels by wafer: patterns, the likeliest first, then classes, the largest first.

    Wafers without any are left out.
    """
    query = select(WaferLabel).where(WaferLabel.wafer_id.in_(wafer_ids))
    order = (WaferLabel.kind.desc(), WaferLabel.probability.desc(), WaferLabel.dies.desc())
    found: dict[str, list[WaferLabel]] = {}
    for label in session.scalars(query.order_by(*order)):
        found.setdefault(label.wafer_id, []).append(label)
    return found


def causes_of(session: Session, wafer_ids: Sequence[str]) -> dict[str, list[Cause]]:
    """Return the causes by wafer, the newest first. Wafers without any are left out."""
    query = select(Cause).where(Cause.wafer_id.in_(wafer_ids))
    found: dict[str, list[Cause]] = {}
    for cause in session.scalars(query.order_by(Cause.id.desc())):
        found.setdefault(cause.wafer_id, []).append(cause)
    return found


def _parts(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for begin in range(0, len(numbers), size):
        yield numbers[begin : begin + size]
