"""People and keys for the command line: the same doings as over HTTP, by name, without a login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from waferscope.errors import InputError, NotFoundError
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.store import user_by_name
from waferscope.service.keys import routes as keys
from waferscope.service.keys.schemas import KeyMade, NewKey
from waferscope.service.tables import User
from waferscope.service.users import routes as users
from waferscope.service.users.schemas import NewUser, UserMade

Shape = TypeVar("Shape", bound=BaseModel)


def make_user(session: Session, who: Identity, **wanted: Any) -> UserMade:
    """Create a user with a one-time password. Raises InputError, ConflictError."""
    return users.make_user(session, who, _shaped(NewUser, wanted))


def renew_password(session: Session, who: Identity, name: str) -> UserMade:
    """Give a user a one-time password. Raises NotFoundError."""
    return users.renew_password(session, who, _user(session, name))


def make_key(session: Session, who: Identity, name: str, wanted: Mapping[str, Any]) -> KeyMade:
    """Create a key for a user. Raises NotFoundError, InputError."""
    owner = _user(session, name)
    return keys.make_key(session, who, _shaped(NewKey, {**wanted, "user_id": owner.id}))


def _user(session: Session, name: str) -> User:
    found = user_by_name(session, name)
    if found is None:
        raise NotFoundError(f"Expected the name of a user, got {name!r}. Check its spelling.")
    return found


def _shaped(shape: type[Shape], values: Mapping[str, Any]) -> Shape:
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(
            f"Expected a {field} that fits, got {first['input']!r}: {first['msg']}. Correct it."
        ) from None
