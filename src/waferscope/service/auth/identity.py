"""Who asks, found out once per request; and authority as a type in a route's signature.

A route says ``who: Engineer`` and is thereby closed to everybody below: `Viewer`, `Annotator`,
`Engineer`, `Admin`. `Caller` is anybody who is known, even with a one-time password.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.concurrency import run_in_threadpool

from waferscope.errors import IdentityError, RateError, RightsError
from waferscope.service.auth import cookies, store, tokens
from waferscope.service.auth.roles import Role
from waferscope.service.parts import Parts, parts_of

SAFE: Final = {"GET", "HEAD", "OPTIONS"}
API: Final = "/api/v1/"

_bearer = HTTPBearer(auto_error=False, description="An access token, or an API key")
_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key")
_cookie = APIKeyCookie(name=cookies.ACCESS, auto_error=False, description="Set by a login")


@dataclass(frozen=True)
class Identity:
    """Who asks, and by what. ``via`` is the id of the sitting or of the key."""

    user_id: str
    name: str
    role: Role
    via: str
    kind: Literal["token", "cookie", "key", "system"]
    scopes: tuple[str, ...] = ()
    must_change_password: bool = False
    address: str = ""


SYSTEM: Final = Identity("", "system", Role.ADMIN, via="", kind="system")
"""Who acts when nobody asked: the first start, retention, an admin at the command line."""
NOBODY: Final = Identity("", "nobody", Role.VIEWER, via="", kind="cookie")
"""Who leaves with cookies that are good for nothing any more."""


@dataclass(frozen=True)
class Authority:
    """The check that somebody has a role; a dependency, and what tests look for on routes."""

    role: Role
    with_one_time_password: bool = False

    async def __call__(
        self,
        request: Request,
        bearer: Annotated[object, Depends(_bearer)],
        key: Annotated[object, Depends(_key)],
        cookie: Annotated[object, Depends(_cookie)],
    ) -> Identity:
        """Return who asks. Raises IdentityError, RightsError or RateError."""
        del bearer, key, cookie  # they are here for the OpenAPI document
        found = await self._find(request)
        if found.must_change_password and not self.with_one_time_password:
            raise RightsError("Change the one-time password first: POST /api/v1/auth/password.")
        if not found.role.covers(self.role):
            raise RightsError(
                f"Expected the role {self.role} or above, got {found.role}. Ask an admin for it."
            )
        return found

    async def _find(self, request: Request) -> Identity:
        return await identify(request)


@dataclass(frozen=True)
class Leaving(Authority):
    """The check of a logout: a browser whose access has run out is known by its refresh token."""

    async def _find(self, request: Request) -> Identity:
        """Return who leaves, `NOBODY` if the cookies tell no more."""
        try:
            return await identify(request)
        except IdentityError:
            if not _comes_with_cookies(request):
                raise
        house = parts_of(request)
        refresh = request.cookies.get(cookies.REFRESH, "")
        found = await house.records.lookups.run(_by_refresh, house, refresh, address_of(request))
        if found is not NOBODY:
            check_csrf(house, request, found.via)
        return found


Caller = Annotated[Identity, Depends(Authority(Role.VIEWER, with_one_time_password=True))]
Leaver = Annotated[Identity, Depends(Leaving(Role.VIEWER, with_one_time_password=True))]
Viewer = Annotated[Identity, Depends(Authority(Role.VIEWER))]
Annotator = Annotated[Identity, Depends(Authority(Role.ANNOTATOR))]
Engineer = Annotated[Identity, Depends(Authority(Role.ENGINEER))]
Admin = Annotated[Identity, Depends(Authority(Role.ADMIN))]


def address_of(request: Request) -> str:
    """Return the address of the client; that of a proxy unless the proxy is trusted."""
    return request.client.host if request.client is not None else ""


async def identify(request: Request) -> Identity:
    """Return who asks, by Bearer token, API key or cookie, in that order."""
    house = parts_of(request)
    try:
        found = await _identify(house, request)
    except IdentityError:
        await _count(house, house.settings.rate_address, "address", address_of(request))
        raise
    whose = found.via if found.kind == "key" else found.user_id
    await _count(house, house.settings.rate_identity, "identity", whose)
    if found.kind == "key":
        check_scope(found.scopes, request.method, request.url.path)
    return found


async def _identify(house: Parts, request: Request) -> Identity:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    token = given.strip() if scheme.lower() == "bearer" else ""
    key = request.headers.get("X-API-Key", "") or (
        token if token.startswith(tokens.API_KEY) else ""
    )
    address = address_of(request)
    if key:
        return await run_in_threadpool(_by_key, house, key, address)
    cookie = "" if token else request.cookies.get(cookies.ACCESS, "")
    if not token and not cookie:
        raise IdentityError("Expected an access token, an API key or a cookie, got none. Log in.")
    claims = tokens.read_access(house.settings, token or cookie)
    kind: Literal["token", "cookie"] = "token" if token else "cookie"
    found = await house.records.lookups.run(_by_claims, house, claims, kind, address)
    if kind == "cookie" and request.method not in SAFE:
        check_csrf(house, request, found.via)
    return found


def _by_claims(
    house: Parts, claims: tokens.Claims, kind: Literal["token", "cookie"], address: str
) -> Identity:
    with house.records.looking() as connection:
        user = store.user_of_sitting(connection, claims.user_id, claims.sitting_id)
    if user is None:
        raise IdentityError("This login has ended. Log in again.")
    return Identity(
        user_id=user.id,
        name=user.name,
        role=Role(user.role),
        via=claims.sitting_id,
        kind=kind,
        must_change_password=user.must_change_password,
        address=address,
    )


def _comes_with_cookies(request: Request) -> bool:
    elsewise = "Authorization" in request.headers or "X-API-Key" in request.headers
    return not elsewise and not {cookies.ACCESS, cookies.REFRESH}.isdisjoint(request.cookies)


def _by_refresh(house: Parts, refresh: str, address: str) -> Identity:
    with house.records.looking() as connection:
        found = store.sitting_of_refresh(connection, tokens.digest(refresh))
    if found is None:
        return NOBODY
    return Identity(
        user_id=found.user_id,
        name=found.user_name,
        role=Role(found.role),
        via=found.id,
        kind="cookie",
        address=address,
    )


def _by_key(house: Parts, key: str, address: str) -> Identity:
    digest = tokens.digest(key)
    with house.records.reading() as session:
        found = store.key_by_digest(session, digest)
    if found is None:
        raise IdentityError("The API key is not known, has expired or was revoked. Ask its owner.")
    if store.use_is_stale(found):
        with house.records.writing() as session:
            store.note_use(session, found.id)
    return Identity(
        user_id=found.user_id,
        name=found.user_name,
        role=found.role,
        via=found.id,
        kind="key",
        scopes=found.scopes,
        address=address,
    )


async def count_address(request: Request) -> None:
    """Count a request that anybody may make. Raises RateError past the rate of its address."""
    house = parts_of(request)
    await _count(house, house.settings.rate_address, "address", address_of(request))


async def count_login(request: Request) -> None:
    """Count an attempt to log in. Raises RateError past the rate of its address."""
    house = parts_of(request)
    await _count(house, house.settings.rate_login, "login", address_of(request))


Counted: Final = Depends(count_address)
"""``dependencies=[Counted]`` limits a route that is open to anybody."""
CountedLogin: Final = Depends(count_login)
"""``dependencies=[CountedLogin]`` limits a route that a password or a token may be guessed at."""


async def _count(house: Parts, rate: str, kind: str, *who: str) -> None:
    try:
        await house.limits.check(rate, kind, *who)
    except RateError:
        house.figures.refusals.labels(kind).inc()
        raise


def check_csrf(house: Parts, request: Request, sitting_id: str) -> None:
    """Raise RightsError unless a request by cookie carries the token of its own sitting."""
    given = request.headers.get(cookies.CSRF_HEADER, "")
    right = cookies.csrf_token(house.settings, sitting_id)
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise RightsError(
            f"Expected the header {cookies.CSRF_HEADER} with the value of the cookie "
            f"{cookies.CSRF}, got another. Send it with every request that changes something."
        )


def check_scope(scopes: tuple[str, ...], method: str, path: str) -> None:
    """Raise RightsError unless a key's scopes cover the call: ``*``, ``noun`` or ``noun:read``.

    >>> check_scope(("wafers:read",), "GET", "/api/v1/wafers/waf_1")
    """
    noun = path.removeprefix(API).split("/", 1)[0]
    fitting = {"*", noun} | ({f"{noun}:read", "*:read"} if method in SAFE else set())
    if not fitting & set(scopes):
        raise RightsError(
            f"Expected a key with the scope {noun!r}, got one for {', '.join(scopes) or 'nothing'}."
            " Make a key that has it."
        )
