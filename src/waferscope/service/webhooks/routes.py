"""Webhooks: ``/api/v1/webhooks``, for engineers their own, for admins all."""

from __future__ import annotations

import secrets

from fastapi import APIRouter

from waferscope.service import events
from waferscope.service.auth.identity import Engineer, Identity
from waferscope.service.auth.roles import Role
from waferscope.service.db import Reads, Writes
from waferscope.service.idempotency import CallOnce
from waferscope.service.paging import Paging, page_of
from waferscope.service.parts import House
from waferscope.service.schema import Page
from waferscope.service.store import record
from waferscope.service.tables import Webhook
from waferscope.service.webhooks import store
from waferscope.service.webhooks.schemas import (
    DeliveryShown,
    NewWebhook,
    WebhookMade,
    WebhookShown,
)
from waferscope.service.webhooks.signing import check_url, secret_of

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


def _whose(who: Identity) -> str | None:
    return None if who.role is Role.ADMIN else who.user_id


@router.post("", status_code=201)
def create_webhook(
    body: NewWebhook, who: Engineer, session: Writes, house: House, once: CallOnce
) -> WebhookMade:
    """Create a webhook; the secret of its signatures is answered this once."""
    settings = house.settings
    check_url(body.url, settings.webhook_hosts, https_only=settings.is_production)
    webhook = store.add_webhook(
        session,
        Webhook(
            user_id=who.user_id,
            url=body.url,
            events=sorted(set(body.events)),
            salt=secrets.token_hex(16),
        ),
    )
    record(session, who, "webhooks.create", webhook.id, url=webhook.url, events=webhook.events)
    shown = WebhookShown.model_validate(webhook)
    secret = secret_of(settings, webhook.id, webhook.salt)
    return once.keep(WebhookMade(**shown.model_dump(), secret=secret), "secret")


@router.get("")
def list_webhooks(who: Engineer, session: Reads, page: Paging) -> Page[WebhookShown]:
    """List one's own webhooks; an admin sees all."""
    rows = store.list_webhooks(session, page, _whose(who))
    return page_of(rows, page, lambda hook: [hook.id], WebhookShown.model_validate)


@router.get("/{webhook_id}")
def get_webhook(webhook_id: str, who: Engineer, session: Reads) -> WebhookShown:
    """Show a webhook."""
    return WebhookShown.model_validate(store.get_webhook(session, webhook_id, _whose(who)))


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, who: Engineer, session: Writes) -> None:
    """Delete a webhook; what is on its way to it stops."""
    webhook = store.get_webhook(session, webhook_id, _whose(who))
    record(session, who, "webhooks.delete", webhook.id, url=webhook.url)
    store.delete_webhook(session, webhook)


@router.get("/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: str, who: Engineer, session: Reads, page: Paging
) -> Page[DeliveryShown]:
    """List what was sent to a webhook and how it went, newest first."""
    webhook = store.get_webhook(session, webhook_id, _whose(who))
    rows = store.list_deliveries(session, page, webhook.id)
    return page_of(rows, page, lambda one: [one.id], DeliveryShown.model_validate)


@router.post("/{webhook_id}/ping", status_code=202)
def ping_webhook(
    webhook_id: str, who: Engineer, session: Writes, house: House, once: CallOnce
) -> DeliveryShown:
    """Send a webhook a `ping`, to try it out."""
    webhook = store.get_webhook(session, webhook_id, _whose(who))
    delivery = events.send_to(session, house.queue, webhook, "ping", {"webhook_id": webhook.id})
    return once.keep(DeliveryShown.model_validate(delivery), status=202)
