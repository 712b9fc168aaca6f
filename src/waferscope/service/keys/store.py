"""The SQL of API keys."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.store import newest_first
from waferscope.service.tables import ApiKey, User


def get_owner(session: Session, user_id: str) -> User:
    """Return an active user. Raises NotFoundError."""
    found = session.get(User, user_id)
    if found is None or not found.active:
        raise NotFoundError(f"Expected the id of an active user, got {user_id!r}. See the users.")
    return found


def add_key(session: Session, key: ApiKey) -> ApiKey:
    """Add a key."""
    key.id = new_id("key")
    session.add(key)
    session.flush()
    return key


def get_key(session: Session, key_id: str) -> ApiKey:
    """Return a key. Raises NotFoundError."""
    found = session.get(ApiKey, key_id)
    if found is None:
        raise NotFoundError(f"Expected the id of a key, got {key_id!r}. Look into the list.")
    return found


def list_keys(session: Session, place: Place, user_id: str | None) -> list[ApiKey]:
    """Return one key more than the page has room for, newest first."""
    query = select(ApiKey)
    if user_id is not None:
        query = query.where(ApiKey.user_id == user_id)
    return list(session.scalars(newest_first(query, ApiKey.id, place)))
