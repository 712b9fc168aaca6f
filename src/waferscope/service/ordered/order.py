"""Orders: what is to be predicted for whom, and how; placing one makes a batch and its job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from waferscope.service.ids import new_id
from waferscope.service.ordered import store
from waferscope.service.queue import Job, JobQueue
from waferscope.service.tables import Batch

PREDICT_BATCH: Final = "predict_batch"
"""Name of the job that does a batch; its word is the batch's id."""


@dataclass(frozen=True)
class Order:
    """Wafers to predict. ``threshold`` and ``model`` None: those of the model that is served.

    ``formats`` are files to make of the results; ``priority`` runs from 1, first, to 10.
    """

    user_id: str
    wafer_ids: Sequence[str]
    threshold: float | None = None
    model: str | None = None
    formats: Sequence[str] = ()
    priority: int = 5

    @property
    def request(self) -> dict[str, Any]:
        """What the batch keeps of the order."""
        return {"threshold": self.threshold, "model": self.model, "formats": list(self.formats)}


def place(session: Session, queue: JobQueue, order: Order) -> Batch:
    """Make the batch of an order and ask for its job: both are there after the commit, or none."""
    batch_id = new_id("bat")
    batch = Batch(
        id=batch_id,
        user_id=order.user_id,
        workflow_id=batch_id,
        priority=order.priority,
        request=order.request,
        model_version=order.model or "",
        results={},
        total=len(order.wafer_ids),
    )
    store.add_batch(session, batch, order.wafer_ids)
    job = Job(PREDICT_BATCH, (batch_id,), line="batches", priority=order.priority, id=batch_id)
    queue.ask(session, job)
    return batch
