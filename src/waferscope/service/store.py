"""The SQL that every noun may use: the audit trail, kept answers, milestones, pages."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, delete, exc, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from waferscope.errors import ConflictError, InputError
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.roles import Role
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.tables import (
    AuditEntry,
    Batch,
    Delivery,
    IdempotencyKey,
    Milestone,
    User,
    Webhook,
)
from waferscope.service.tables.row import now
from waferscope.service.telemetry import request_id

ANSWERS_KEPT: Final = timedelta(days=1)
T = TypeVar("T")
_TOLD: Final = [role.value for role in Role if role.covers(Role.ENGINEER)]
"""Who may have webhooks."""


def record(session: Session, who: Identity, action: str, target: str = "", **detail: Any) -> None:
    """Add to the audit trail: who did what (``users.create``) to what (an id), with what else.

    Part of the caller's transaction: what is undone was not done. Give no secrets as ``detail``.
    """
    session.add(
        AuditEntry(
            actor_id=who.user_id,
            actor=who.name[:200],
            via=f"{who.kind}:{who.via}" if who.via else who.kind,
            action=action,
            target=target[:200],
            detail=detail,
            request_id=request_id(),
            address=who.address[:64],
        )
    )


def keep(session: Session, clash: str) -> None:
    """Send what was added to the database now. Raises ConflictError(clash) if it is there already.

    A row that refers to another one which is not there is a defect of the caller, and rises.
    """
    try:
        session.flush()
    except exc.IntegrityError as error:
        text = str(error.orig).lower()
        if "unique" not in text and "duplicate" not in text:
            raise
        raise ConflictError(clash) from error


def newest_first(query: Select[T], key: InstrumentedAttribute[Any], place: Place) -> Select[T]:
    """Return the query for one page, by falling id; ids sort by the time they were made."""
    if place.after:
        query = query.where(key < sole(place.after, key.type.python_type))
    return query.order_by(key.desc()).limit(place.limit + 1)


def sole(after: tuple[Any, ...], kind: type) -> Any:
    """Return the one value of a cursor. Raises InputError when it is not of the kind."""
    if len(after) != 1 or type(after[0]) is not kind:
        raise InputError("Expected a cursor of this list, got one of another. Start anew.")
    return after[0]


def claim_answer(
    session: Session, user_id: str, key: str, fingerprint: str
) -> IdempotencyKey | None:
    """Return the answer kept under the key; or None, and the key is claimed for this request.

    Raises ConflictError when the key was used for something else, or is being used right now.
    """
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now() - ANSWERS_KEPT))
    found = session.get(IdempotencyKey, (user_id, key))
    if found is None:
        session.add(IdempotencyKey(user_id=user_id, key=key, fingerprint=fingerprint))
        keep(session, "Expected one request at a time per Idempotency-Key, got two. Try again.")
        return None
    if found.fingerprint != fingerprint:
        raise ConflictError(
            "Expected the same request under the same Idempotency-Key, got another. "
            "Take a new key for a new request."
        )
    return found


def keep_answer(session: Session, user_id: str, key: str, status: int, body: str) -> None:
    """Keep the answer under the key that was claimed."""
    claimed = session.get_one(IdempotencyKey, (user_id, key))
    claimed.status, claimed.body = status, body


def fingerprint(*parts: bytes) -> str:
    """Return a digest of the parts that is another one when any part is."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def reach(session: Session, milestone: str) -> bool:
    """Return whether this is the first time that the milestone is reached, and remember it."""
    if session.scalar(select(Milestone).where(Milestone.name == milestone)) is not None:
        return False
    session.add(Milestone(name=milestone))
    session.flush()
    return True


def webhooks_wanting(session: Session, event: str, payload: dict[str, Any]) -> list[Webhook]:
    """Return the active webhooks, few as they are, that want an event their owners may know of."""
    query = select(Webhook).join(User, User.id == Webhook.user_id)
    active = session.scalars(query.where(Webhook.active, may_know(session, payload)))
    return [webhook for webhook in active if event in webhook.events]


def may_know(session: Session, payload: dict[str, Any]) -> ColumnElement[bool]:
    """Return that a user may be told of an event: who may have webhooks at all.

    Of a batch nobody is told but whose it is, and admins.
    """
    may = User.active & User.role.in_(_TOLD)
    batch_id = payload.get("batch_id")
    owner = batch_id and session.scalar(select(Batch.user_id).where(Batch.id == batch_id))
    return may & or_(User.id == owner, User.role == Role.ADMIN.value) if owner else may


def add_delivery(
    session: Session, webhook_id: str, event: str, payload: dict[str, Any]
) -> Delivery:
    """Write down what is to be sent to a webhook."""
    delivery = Delivery(id=new_id("dlv"), webhook_id=webhook_id, event=event, payload=payload)
    session.add(delivery)
    session.flush()
    return delivery
