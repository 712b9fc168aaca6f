"""What `auth` is asked and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from waferscope.service.auth.roles import Role
from waferscope.service.schema import Answer, Question

Password = Annotated[str, Field(min_length=1, max_length=200)]


class Login(Question):
    """A name and its password. ``keep`` says where the login lives: in tokens or in cookies."""

    name: str = Field(min_length=1, max_length=200)
    password: Password
    keep: Literal["token", "cookie"] = "token"


class Refresh(Question):
    """A refresh token; left out, the one of the cookie is meant."""

    refresh_token: str | None = Field(default=None, max_length=200)


class NewPassword(Question):
    """The password that was and the one that will be."""

    old: Password
    new: Password


class Me(Answer):
    """Who asks."""

    id: str
    name: str
    role: Role
    via: Literal["token", "cookie", "key", "system"]
    scopes: list[str]
    must_change_password: bool


class LoggedIn(Answer):
    """A login. The tokens are missing where cookies carry them."""

    access_token: str | None
    refresh_token: str | None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int = Field(description="seconds that the access token lives")
    csrf_token: str = Field(description="value of X-CSRF-Token for requests by cookie")
    must_change_password: bool
