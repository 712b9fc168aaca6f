"""Keeping predictions: all their rows in the transaction of the caller, once for each wafer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from waferscope.service.events import announce
from waferscope.service.predicted import store
from waferscope.service.predicted.draft import Draft
from waferscope.service.queue import JobQueue

CRITICAL: Final = "critical"
ALERT: Final = "severity.alert"


def keep(session: Session, queue: JobQueue, drafts: Sequence[Draft]) -> dict[str, str]:
    """Add the rows of predictions; return the prediction's id by wafer.

    ``drafts`` has each wafer once. What is there already, of the same wafer, model and choices,
    is left as it is and its id returned; a wafer that was deleted meanwhile is left out. Webhooks
    are told of a wafer that becomes critical.
    """
    levels = store.hold_wafers(session, [one.wafer_id for one in drafts])
    held = [one for one in drafts if one.wafer_id in levels]
    if not held:
        return {}
    there = store.kept_already(session, held)
    ids = [there.get(one.key, one.id) for one in held]
    store.add_predictions(session, [one for one in held if one.key not in there])
    store.add_embeddings(session, held)
    store.show_on_wafers(session, held, ids)
    for one in held:
        if one.severity_level == CRITICAL and levels[one.wafer_id] != CRITICAL:
            announce(session, queue, ALERT, _alert(one))
    return {one.wafer_id: kept for one, kept in zip(held, ids, strict=True)}


def _alert(one: Draft) -> dict[str, object]:
    return {
        "wafer_map_id": one.wafer_id,
        "severity": one.severity,
        "labels": list(one.labels),
        "model_version": one.model_version,
    }
