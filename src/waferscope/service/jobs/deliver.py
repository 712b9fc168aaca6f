"""The job that delivers an event to a webhook: signed, once per attempt, with growing waits."""

from __future__ import annotations

import json
import time
from typing import Final, Literal

import httpx2
import structlog

from waferscope.errors import WaferScopeError
from waferscope.service.events import DELIVER
from waferscope.service.jobs.steps import house, run_step
from waferscope.service.queue import Job
from waferscope.service.tables import Delivery, Webhook
from waferscope.service.webhooks import store
from waferscope.service.webhooks.signing import SIGNATURE, TIMESTAMP, check_url, secret_of, sign

ATTEMPTS: Final = 8
FIRST_WAIT_S: Final = 5
LONGEST_WAIT_S: Final = 3600
TIMEOUT_S: Final = 10
DELIVERY: Final = "X-WaferScope-Delivery"
EVENT: Final = "X-WaferScope-Event"
NOT_THEIRS: Final = (
    "Expected an owner who may know of this event, got one whose account is closed or whose role "
    "has changed. Delete the webhook."
)
Outcome = Literal["delivered", "failed", "again", "gone"]
_log = structlog.get_logger()


def deliver_webhook(delivery_id: str, attempt: int) -> Outcome:
    """Send a delivery; ask for another attempt, later, if it was not taken."""
    outcome = run_step("post", post_delivery, delivery_id, attempt)
    if outcome == "again":
        run_step("ask again", ask_again, delivery_id, attempt + 1)
    return outcome


def wait_before(attempt: int) -> int:
    """Return the seconds before an attempt, the second one on.

    >>> [wait_before(attempt) for attempt in (2, 3, 4, 8)]
    [5, 15, 45, 3600]
    """
    return min(LONGEST_WAIT_S, int(FIRST_WAIT_S * 3 ** (attempt - 2)))


def post_delivery(delivery_id: str, attempt: int) -> Outcome:
    """Post a delivery once, and write how it went."""
    with house().records.reading() as session:
        found = store.get_delivery(session, delivery_id)
        if found is None or found[0].state != "waiting":
            return "gone"
        delivery, webhook = found
        may = store.may_have(session, webhook, delivery)
    status, error = _post(delivery, webhook) if may else (None, NOT_THEIRS)
    taken = status is not None and 200 <= status < 300
    last = not may or attempt >= ATTEMPTS or status == httpx2.codes.GONE
    with house().records.writing() as session:
        store.note_attempt(session, delivery_id, attempt, status, error)
        if taken or last:
            store.finish(session, delivery_id, "delivered" if taken else "failed")
    if taken:
        return "delivered"
    _log.warning("webhook not taken", delivery=delivery_id, attempt=attempt, cause=error)
    return "failed" if last else "again"


def _post(delivery: Delivery, webhook: Webhook) -> tuple[int | None, str]:
    settings = house().settings
    try:
        # Admins may have taken the host off the list since the webhook was made.
        check_url(webhook.url, settings.webhook_hosts, https_only=settings.is_production)
    except WaferScopeError as error:
        return None, str(error)
    body = json.dumps(
        {"id": delivery.id, "event": delivery.event, "payload": delivery.payload}
    ).encode()
    at = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "WaferScope",
        DELIVERY: delivery.id,
        EVENT: delivery.event,
        TIMESTAMP: str(at),
        SIGNATURE: sign(secret_of(settings, webhook.id, webhook.salt), at, body),
    }
    try:
        answer = httpx2.post(
            webhook.url, content=body, headers=headers, timeout=TIMEOUT_S, follow_redirects=False
        )
    except httpx2.HTTPError as error:
        return None, f"{type(error).__name__}: {error}"
    return answer.status_code, "" if answer.is_success else f"answered {answer.status_code}"


def ask_again(delivery_id: str, attempt: int) -> str:
    """Ask for the next attempt. Its id is made of both, so that asking twice asks once."""
    job = Job(
        DELIVER,
        (delivery_id, attempt),
        delay_seconds=wait_before(attempt),
        id=f"{delivery_id}-{attempt}",
    )
    with house().records.writing() as session:
        return house().queue.ask(session, job)
