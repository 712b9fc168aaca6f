"""The SQL of webhooks and their deliveries."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.store import may_know, newest_first
from waferscope.service.tables import Delivery, User, Webhook
from waferscope.service.tables.row import now


def add_webhook(session: Session, webhook: Webhook) -> Webhook:
    """Add a webhook."""
    webhook.id = new_id("hook")
    session.add(webhook)
    session.flush()
    return webhook


def get_webhook(session: Session, webhook_id: str, user_id: str | None) -> Webhook:
    """Return a webhook, of that user if one is given. Raises NotFoundError."""
    found = session.get(Webhook, webhook_id)
    if found is None or user_id not in (None, found.user_id):
        raise NotFoundError(f"Expected the id of a webhook, got {webhook_id!r}. See the list.")
    return found


def list_webhooks(session: Session, place: Place, user_id: str | None) -> list[Webhook]:
    """Return one webhook more than the page has room for, newest first."""
    query = select(Webhook)
    if user_id is not None:
        query = query.where(Webhook.user_id == user_id)
    return list(session.scalars(newest_first(query, Webhook.id, place)))


def delete_webhook(session: Session, webhook: Webhook) -> None:
    """Delete a webhook and its deliveries."""
    session.delete(webhook)


def list_deliveries(session: Session, place: Place, webhook_id: str) -> list[Delivery]:
    """Return one delivery more than the page has room for, newest first."""
    query = select(Delivery).where(Delivery.webhook_id == webhook_id)
    return list(session.scalars(newest_first(query, Delivery.id, place)))


def get_delivery(session: Session, delivery_id: str) -> tuple[Delivery, Webhook] | None:
    """Return a delivery and its webhook; None if they were deleted meanwhile."""
    found = session.execute(
        select(Delivery, Webhook)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.id == delivery_id)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def may_have(session: Session, webhook: Webhook, delivery: Delivery) -> bool:
    """Return whether a webhook's owner may know today of what is on its way to it."""
    owner = select(User.id).where(User.id == webhook.user_id, may_know(session, delivery.payload))
    return session.scalar(owner) is not None


def note_attempt(
    session: Session, delivery_id: str, attempt: int, status: int | None, error: str
) -> None:
    """Write how an attempt went; the same attempt noted twice is one attempt."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None:
        return
    delivery.attempts = max(delivery.attempts, attempt)
    delivery.last_status = status
    delivery.last_error = error[:200]


def finish(session: Session, delivery_id: str, state: str) -> None:
    """Write that a delivery is over: delivered or failed."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is not None:
        delivery.state = state
        delivery.finished_at = now()
