"""What `webhooks` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from waferscope.service.schema import Answer, Question

Event = Literal["batch.done", "severity.alert", "ping"]


class NewWebhook(Question):
    """A webhook to be."""

    url: str = Field(min_length=8, max_length=2000, description="on a host that admins allow")
    events: list[Event] = Field(min_length=1, max_length=10)


class WebhookShown(Answer):
    """A webhook, by all but its secret."""

    id: str
    user_id: str
    url: str
    events: list[str]
    active: bool
    created_at: datetime


class WebhookMade(WebhookShown):
    """A webhook and, this once, the secret that its deliveries are signed with."""

    secret: str | None


class DeliveryShown(Answer):
    """One event on its way to a webhook."""

    id: str
    event: str
    payload: dict[str, Any]
    state: str
    attempts: int
    last_status: int | None
    last_error: str
    created_at: datetime
    finished_at: datetime | None
