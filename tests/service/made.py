"""Rows of wafers for tests of what is built upon them; their dies are nowhere."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from waferscope.service.ids import new_id
from waferscope.service.parts import Parts
from waferscope.service.tables import Embedding, Lot, Prediction, Wafer, WaferLabel
from waferscope.service.tables.row import now

MODEL = "test-1"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_numbers = itertools.count()


def add_wafer(house: Parts, user_id: str, **more: Any) -> str:
    """Add a wafer and return its id. ``labels``, ``embedding`` and columns of `Wafer` may be given.

    With ``labels`` or an ``embedding`` it has a stored prediction; ``labels`` maps each label to
    its kind, ``pattern`` or ``class``.
    """
    with house.records.writing() as session:
        return insert_wafer(session, user_id, **more)


def insert_wafer(
    session: Session,
    user_id: str,
    *,
    labels: dict[str, str] | None = None,
    embedding: Sequence[float] | npt.NDArray[np.float32] | None = None,
    **more: Any,
) -> str:
    """As `add_wafer`, in a transaction of the caller's."""
    wafer_id = new_id("waf")
    columns: dict[str, Any] = {"lot": "L1", "product": "P1", "tested_at": NOON, **more}
    columns.setdefault("text", f"{columns['lot']} {columns['product']}".lower())
    columns.setdefault("dated", columns["tested_at"] or columns.get("created_at") or now())
    lot_id = _lot(session, columns["lot"], columns["product"])
    digest = hashlib.sha256(wafer_id.encode()).hexdigest()
    session.add(
        Wafer(
            id=wafer_id,
            lot_id=lot_id,
            user_id=user_id,
            content=digest,
            **{
                "blob": f"wafers/{digest[:2]}/{digest}",
                "rows": 10,
                "cols": 10,
                "dies": 76,
                "fails": 7,
                "yield_share": 0.9,
            }
            | columns,
            notes=[],
        )
    )
    session.flush()
    if labels is not None or embedding is not None:
        add_prediction(session, wafer_id, user_id, labels or {})
    if embedding is not None:
        add_embedding(session, wafer_id, embedding)
    return wafer_id


def add_prediction(
    session: Session, wafer_id: str, user_id: str, labels: dict[str, str], model: str = MODEL
) -> str:
    """Add the last prediction of a wafer and return its id."""
    prediction_id = new_id("pred")
    patterns = [label for label, kind in labels.items() if kind == "pattern"]
    session.add(
        Prediction(
            id=prediction_id,
            wafer_id=wafer_id,
            user_id=user_id,
            model_version=model,
            options={},
            options_sha=hashlib.sha256(str(next(_numbers)).encode()).hexdigest(),
            labels=patterns,
            patterns=dict.fromkeys(patterns, 0.9),
            metrics={},
            severity=50.0,
            severity_level="medium",
        )
    )
    for label, kind in labels.items():
        probability = 0.9 if kind == "pattern" else None
        row = WaferLabel(wafer_id=wafer_id, label=label, kind=kind, probability=probability, dies=5)
        session.add(row)
    wafer = session.get_one(Wafer, wafer_id)
    wafer.prediction_id, wafer.label = prediction_id, patterns[0] if patterns else ""
    session.flush()
    return prediction_id


def add_embedding(
    session: Session,
    wafer_id: str,
    vector: Sequence[float] | npt.NDArray[np.float32],
    model: str = MODEL,
) -> int:
    """Add the embedding of a wafer and return its number."""
    unit = np.asarray(vector, dtype="<f4")
    unit = unit / np.linalg.norm(unit)
    row = Embedding(wafer_id=wafer_id, model_version=model, size=unit.size, vector=unit.tobytes())
    session.add(row)
    session.flush()
    return row.number


def _lot(session: Session, name: str, product: str) -> str:
    wanted = select(Lot.id).where(Lot.name == name, Lot.product == product)
    found = session.scalar(wanted)
    if found is None:
        lot = Lot(id=new_id("lot"), name=name, product=product, updated_at=datetime.now(UTC))
        session.add(lot)
        session.flush()
        return lot.id
    return found
