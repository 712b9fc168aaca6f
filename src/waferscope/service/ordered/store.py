"""The SQL of an order: the batch and its wafers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from waferscope.service.tables import Batch, BatchItem

AT_A_TIME: Final = 5_000


def add_batch(session: Session, batch: Batch, wafer_ids: Sequence[str]) -> None:
    """Add a batch and its wafers, in their order."""
    session.add(batch)
    session.flush()
    for start in range(0, len(wafer_ids), AT_A_TIME):
        rows = [
            {"batch_id": batch.id, "position": start + offset, "wafer_id": wafer_id}
            for offset, wafer_id in enumerate(wafer_ids[start : start + AT_A_TIME])
        ]
        session.execute(insert(BatchItem), rows)
