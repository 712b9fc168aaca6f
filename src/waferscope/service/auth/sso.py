"""Logging in at an issuer: ``/api/v1/auth/oidc``, for browsers."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from waferscope.errors import ConflictError, IdentityError
from waferscope.service import store as trail
from waferscope.service.auth import cookies, login, oidc, store
from waferscope.service.auth.identity import SYSTEM, Counted, CountedLogin, address_of
from waferscope.service.auth.roles import Role
from waferscope.service.db import Writes
from waferscope.service.parts import House
from waferscope.service.tables import User

HOME: Final = "/"
_UNSOUND: Final = re.compile(r"[^a-z0-9._@+-]+")

router = APIRouter(prefix="/oidc")


@router.get("/login", status_code=303, dependencies=[Counted])
def begin(house: House) -> RedirectResponse:
    """Send the browser to the issuer."""
    journey = oidc.set_out(house.settings)
    answer = RedirectResponse(journey.url, status_code=303)
    answer.set_cookie(
        oidc.COOKIE,
        journey.cookie,
        max_age=int(oidc.PATIENCE.total_seconds()),
        path=oidc.COOKIE_PATH,
        httponly=True,
        secure=house.settings.cookie_secure,
        samesite="lax",
    )
    return answer


@router.get("/callback", status_code=303, dependencies=[CountedLogin])
def finish(
    request: Request,
    session: Writes,
    house: House,
    code: Annotated[str, Query(max_length=2000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """Take the browser back from the issuer, and log it in by cookies."""
    if not code:
        raise IdentityError("The issuer did not log you in. Begin again.")
    cookie = request.cookies.get(oidc.COOKIE, "")
    stranger = oidc.come_back(house.settings, cookie, state, code)
    user = _user_of(session, stranger)
    client = login.Client(address_of(request), request.headers.get("User-Agent", ""))
    pair = login.open_sitting(session, house.settings, user, client)
    answer = RedirectResponse(HOME, status_code=303)
    answer.delete_cookie(oidc.COOKIE, path=oidc.COOKIE_PATH)
    cookies.set_cookies(answer, house.settings, pair.sitting_id, pair.access, pair.refresh)
    return answer


def _user_of(session: Session, stranger: oidc.Stranger) -> User:
    user = store.user_by_subject(session, stranger.subject)
    if user is not None:
        if not user.active:
            raise IdentityError("This account is closed. Ask an admin.")
        return user
    name = _UNSOUND.sub("-", stranger.name.lower()).strip("-")[:100] or "user"
    if store.user_by_name(session, name) is not None:
        raise ConflictError(
            f"Expected a name that is free, got {name!r}, which has an account with a password. "
            "Ask an admin to rename or close it."
        )
    role = stranger.role if stranger.role in set(Role) else Role.VIEWER.value
    user = store.add_user(session, name, role, stranger.email, stranger.subject)
    trail.record(session, SYSTEM, "users.create", user.id, name=name, role=role, oidc=True)
    return user
