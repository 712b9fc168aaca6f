"""Logging in, staying so, and out: ``/api/v1/auth``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from waferscope.errors import IdentityError, InputError
from waferscope.service import store as trail
from waferscope.service.auth import cookies, login, sso, store
from waferscope.service.auth.identity import (
    Caller,
    CountedLogin,
    Leaver,
    address_of,
    check_csrf,
)
from waferscope.service.auth.schemas import LoggedIn, Login, Me, NewPassword, Refresh
from waferscope.service.db import Writes
from waferscope.service.parts import House

router = APIRouter(prefix="/auth", tags=["auth"])
router.include_router(sso.router)


@router.post("/login", dependencies=[CountedLogin])
def log_in(
    body: Login, request: Request, response: Response, session: Writes, house: House
) -> LoggedIn:
    """Log in with a name and a password."""
    client = login.Client(address_of(request), request.headers.get("User-Agent", ""))
    user = login.check_login(session, house.settings, body.name, body.password, client)
    pair = login.open_sitting(session, house.settings, user, client)
    return _answer(response, house, pair, by_cookie=body.keep == "cookie")


@router.post("/refresh", dependencies=[CountedLogin])
def refresh(
    body: Refresh, request: Request, response: Response, session: Writes, house: House
) -> LoggedIn:
    """Get a new pair of tokens for a refresh token, which is then used up."""
    by_cookie = body.refresh_token is None
    given = body.refresh_token or request.cookies.get(cookies.REFRESH, "")
    if not given:
        raise IdentityError("Expected a refresh token, got none. Log in.")
    client = login.Client(address_of(request), request.headers.get("User-Agent", ""))
    pair = login.renew(session, house.settings, given, client)
    if by_cookie:
        check_csrf(house, request, pair.sitting_id)
    return _answer(response, house, pair, by_cookie=by_cookie)


@router.post("/logout", status_code=204)
def log_out(who: Leaver, response: Response, session: Writes) -> None:
    """End this login: none of its tokens is good any more."""
    if who.via and who.kind != "key":
        store.end_sittings(session, "logout", user_id=who.user_id, only=who.via)
        trail.record(session, who, "auth.logout", who.user_id)
    cookies.clear_cookies(response)


@router.get("/me")
def me(who: Caller) -> Me:
    """Who asks."""
    return Me(
        id=who.user_id,
        name=who.name,
        role=who.role,
        via=who.kind,
        scopes=list(who.scopes),
        must_change_password=who.must_change_password,
    )


@router.post("/password", status_code=204, dependencies=[CountedLogin])
def change_password(
    body: NewPassword, who: Caller, request: Request, session: Writes, house: House
) -> None:
    """Change one's own password; every other login of the user ends."""
    if who.kind == "key":
        raise InputError("Expected a login, got an API key. Log in to change the password.")
    client = login.Client(who.address, request.headers.get("User-Agent", ""))
    login.check_login(session, house.settings, who.name, body.old, client)
    login.set_password(session, who, body.new)


def _answer(response: Response, house: House, pair: login.Pair, *, by_cookie: bool) -> LoggedIn:
    if by_cookie:
        cookies.set_cookies(response, house.settings, pair.sitting_id, pair.access, pair.refresh)
    return LoggedIn(
        access_token=None if by_cookie else pair.access,
        refresh_token=None if by_cookie else pair.refresh,
        expires_in=house.settings.access_minutes * 60,
        csrf_token=cookies.csrf_token(house.settings, pair.sitting_id),
        must_change_password=pair.must_change_password,
    )
