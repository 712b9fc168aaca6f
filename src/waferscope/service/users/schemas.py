"""What `users` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from waferscope.service.auth.roles import Role
from waferscope.service.schema import Answer, Question

UserName = Annotated[
    str,
    Field(
        min_length=2,
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$",
        description="what the user logs in with; case does not matter",
    ),
]


class NewUser(Question):
    """A user to be. Without a password, a one-time password is made and answered."""

    name: UserName
    role: Role = Role.VIEWER
    email: str | None = Field(default=None, max_length=200)
    password: str | None = Field(default=None, max_length=200)


class UserChange(Question):
    """What is to change; what is left out stays."""

    role: Role | None = None
    active: bool | None = None
    email: str | None = Field(default=None, max_length=200)


class UserShown(Answer):
    """A user."""

    id: str
    name: str
    role: Role
    email: str | None
    active: bool
    must_change_password: bool
    created_at: datetime
    last_login_at: datetime | None


class UserMade(UserShown):
    """A user and, this once, the one-time password."""

    one_time_password: str | None = None
