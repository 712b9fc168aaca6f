"""Managing API keys: ``/api/v1/keys``, for admins."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from waferscope.errors import InputError
from waferscope.service.auth import tokens
from waferscope.service.auth.identity import Admin, Identity
from waferscope.service.auth.roles import Role
from waferscope.service.db import Reads, Writes
from waferscope.service.idempotency import CallOnce
from waferscope.service.keys import store
from waferscope.service.keys.schemas import KeyMade, KeyShown, NewKey
from waferscope.service.paging import Paging, page_of
from waferscope.service.schema import Page
from waferscope.service.store import record
from waferscope.service.tables import ApiKey
from waferscope.service.tables.row import now

router = APIRouter(prefix="/keys", tags=["keys"])
HINT = 4


@router.post("", status_code=201)
def create_key(body: NewKey, who: Admin, session: Writes, once: CallOnce) -> KeyMade:
    """Create a key; its secret is answered this once."""
    return once.keep(make_key(session, who, body), "key")


def make_key(session: Session, who: Identity, body: NewKey) -> KeyMade:
    """Create a key for whoever asks, over HTTP or at the command line."""
    owner = store.get_owner(session, body.user_id or who.user_id)
    if not Role(owner.role).covers(body.role):
        raise InputError(
            f"Expected a role of at most {owner.role}, that of the owner, got {body.role}. "
            "Take a lesser role or another owner."
        )
    secret = tokens.new_token(tokens.API_KEY)
    key = store.add_key(
        session,
        ApiKey(
            user_id=owner.id,
            name=body.name,
            digest=tokens.digest(secret),
            hint=secret[-HINT:],
            role=body.role.value,
            scopes=sorted(set(body.scopes)),
            expires_at=None if body.days is None else now() + timedelta(days=body.days),
        ),
    )
    record(session, who, "keys.create", key.id, name=key.name, role=key.role, scopes=key.scopes)
    shown = KeyShown.model_validate(key)
    return KeyMade(**shown.model_dump(), key=secret)


@router.get("")
def list_keys(
    who: Admin,
    session: Reads,
    page: Paging,
    user_id: Annotated[str | None, Query(max_length=40, description="keys of one user")] = None,
) -> Page[KeyShown]:
    """List the keys, newest first, the revoked ones too."""
    rows = store.list_keys(session, page, user_id)
    return page_of(rows, page, lambda key: [key.id], KeyShown.model_validate)


@router.get("/{key_id}")
def get_key(key_id: str, who: Admin, session: Reads) -> KeyShown:
    """Show a key."""
    return KeyShown.model_validate(store.get_key(session, key_id))


@router.delete("/{key_id}", status_code=204)
def revoke_key(key_id: str, who: Admin, session: Writes) -> None:
    """Revoke a key: it is refused from now on. Revoking it again changes nothing."""
    key = store.get_key(session, key_id)
    if key.revoked_at is None:
        key.revoked_at = now()
        record(session, who, "keys.revoke", key.id)
