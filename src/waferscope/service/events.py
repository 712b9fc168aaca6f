"""Telling webhooks of an event, in the transaction of what happened: both or neither."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from waferscope.service import store
from waferscope.service.queue import Job, JobQueue
from waferscope.service.tables import Delivery, Webhook

DELIVER: Final = "deliver_webhook"
"""Name of the job that delivers; its words are a delivery's id and the number of the attempt."""


def announce(session: Session, queue: JobQueue, event: str, payload: dict[str, Any]) -> int:
    """Send an event to every webhook that wants it and may have it; return to how many.

    ``event`` is ``batch.done`` or ``severity.alert``; ``payload`` holds ids and figures.
    """
    wanting = store.webhooks_wanting(session, event, payload)
    for webhook in wanting:
        send_to(session, queue, webhook, event, payload)
    return len(wanting)


def send_to(
    session: Session, queue: JobQueue, webhook: Webhook, event: str, payload: dict[str, Any]
) -> Delivery:
    """Send an event to one webhook."""
    delivery = store.add_delivery(session, webhook.id, event, payload)
    queue.ask(session, Job(DELIVER, (delivery.id, 1)))
    return delivery
