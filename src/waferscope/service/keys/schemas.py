"""What `keys` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from waferscope.service.auth.roles import Role
from waferscope.service.schema import Answer, Question

Scope = Annotated[
    str,
    Field(
        pattern=r"^(\*|[a-z]{2,30})(:read)?$",
        description="`*` for all, a noun such as `wafers`, or `wafers:read`",
    ),
]


class NewKey(Question):
    """A key to be. Its owner is whoever asks unless another user is named."""

    name: str = Field(min_length=1, max_length=200, description="what it is for")
    user_id: str | None = Field(default=None, max_length=40)
    role: Role = Role.ANNOTATOR
    scopes: list[Scope] = Field(min_length=1, max_length=20)
    days: int | None = Field(default=365, ge=1, le=3650, description="life; null: no end")


class KeyShown(Answer):
    """A key, by all but its secret. ``hint`` is how the secret ends."""

    id: str
    user_id: str
    name: str
    role: Role
    scopes: list[str]
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


class KeyMade(KeyShown):
    """A key and, this once, its secret."""

    key: str | None
