"""The SQL of keeping predictions: rows, embeddings, labels, and the wafer that repeats them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from waferscope.service.predicted.draft import Draft
from waferscope.service.tables import Embedding, Prediction, Wafer, WaferLabel
from waferscope.service.tables.row import now

EMBEDDED_BYTES: Final = 4
"""Bytes of one number of an embedding."""


def hold_wafers(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Return the severity level of each wafer that is there, held until the end.

    Two who keep predictions of one wafer come one after the other, whatever the database.
    """
    held = select(Wafer.id, Wafer.severity_level).where(
        Wafer.id.in_(ids), Wafer.deleted_at.is_(None)
    )
    rows = session.execute(held.order_by(Wafer.id).with_for_update())
    return dict(rows.tuples().all())


def kept_already(session: Session, drafts: Sequence[Draft]) -> dict[tuple[str, str, str], str]:
    """Return the ids of predictions that are there, by wafer, model and digest of choices."""
    key = (Prediction.wafer_id, Prediction.model_version, Prediction.options_sha)
    wanted = [one.key for one in drafts]
    rows = session.execute(select(*key, Prediction.id).where(tuple_(*key).in_(wanted)))
    return {(wafer, model, choices): found for wafer, model, choices, found in rows}


def add_predictions(session: Session, drafts: Sequence[Draft]) -> None:
    """Add predictions that are not there yet."""
    if drafts:
        session.execute(insert(Prediction), [_prediction(one) for one in drafts])


def add_embeddings(session: Session, drafts: Sequence[Draft]) -> None:
    """Add the embeddings of wafers that have none by this model."""
    key = (Embedding.wafer_id, Embedding.model_version)
    wanted = {(one.wafer_id, one.model_version): one for one in drafts}
    there = session.execute(select(*key).where(tuple_(*key).in_(list(wanted))))
    for wafer, model in there:
        del wanted[wafer, model]
    if wanted:
        session.execute(insert(Embedding), [_embedding(one) for one in wanted.values()])


def show_on_wafers(session: Session, drafts: Sequence[Draft], ids: Sequence[str]) -> None:
    """Make each draft the last prediction of its wafer, with its labels."""
    wafers = [one.wafer_id for one in drafts]
    session.execute(delete(WaferLabel).where(WaferLabel.wafer_id.in_(wafers)))
    labels = [
        {
            "wafer_id": one.wafer_id,
            "label": found.label,
            "kind": found.kind,
            "probability": found.probability,
            "dies": found.dies,
        }
        for one in drafts
        for found in one.found
    ]
    if labels:
        session.execute(insert(WaferLabel), labels)
    session.execute(
        update(Wafer),
        [
            {
                "id": one.wafer_id,
                "prediction_id": prediction_id,
                "label": one.labels[0] if one.labels else "",
                "severity": one.severity,
                "severity_level": one.severity_level,
            }
            for one, prediction_id in zip(drafts, ids, strict=True)
        ],
    )


def _prediction(one: Draft) -> dict[str, object]:
    return {
        "id": one.id,
        "wafer_id": one.wafer_id,
        "user_id": one.user_id,
        "model_version": one.model_version,
        "options": one.choices.to_dict(),
        "options_sha": one.choices.sha256,
        "labels": list(one.labels),
        "patterns": one.patterns,
        "metrics": one.metrics,
        "severity": one.severity,
        "severity_level": one.severity_level,
        "blob": one.blob,
        "created_at": now(),
    }


def _embedding(one: Draft) -> dict[str, object]:
    return {
        "wafer_id": one.wafer_id,
        "model_version": one.model_version,
        "size": len(one.embedding) // EMBEDDED_BYTES,
        "vector": one.embedding,
        "created_at": now(),
    }
