"""What a login, a refresh and a new password do, apart from HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from waferscope.errors import IdentityError, RateError
from waferscope.service import store as trail
from waferscope.service.auth import store, tokens
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.passwords import check_password, hash_password, verify_password
from waferscope.service.auth.roles import Role
from waferscope.service.settings import Settings
from waferscope.service.tables import Sitting, User
from waferscope.service.tables.row import now

LONGEST_LOCK_S: Final = 3600
REFUSED: Final = "The name or the password is not right."


@dataclass(frozen=True)
class Client:
    """Where a login comes from."""

    address: str
    agent: str


@dataclass(frozen=True)
class Pair:
    """An access and a refresh token of one sitting."""

    sitting_id: str
    access: str
    refresh: str
    must_change_password: bool


def locked_seconds(failures: int, settings: Settings) -> int:
    """Return how long a name is locked after so many failures: doubling, up to an hour.

    >>> [locked_seconds(n, Settings(lockout_seconds=30)) for n in (4, 5, 6, 7, 20)]
    [0, 30, 60, 120, 3600]
    """
    beyond = failures - settings.lockout_failures
    if beyond < 0:
        return 0
    return min(LONGEST_LOCK_S, settings.lockout_seconds << min(beyond, 12))


def check_login(
    session: Session, settings: Settings, name: str, password: str, client: Client
) -> User:
    """Return the user, or raise IdentityError; RateError while the name is locked.

    A name that nobody has is treated alike, in words and in time.
    """
    failures = store.failures_of(session, name)
    _refuse_if_locked(failures.locked_until)
    user = store.user_by_name(session, name)
    right = verify_password(password, user.password if user is not None else None)
    if user is not None and right and user.active:
        store.forget_failures(session, name)
        return user
    failures.failures += 1
    failures.failed_at = now()
    wait = locked_seconds(failures.failures, settings)
    failures.locked_until = now() + timedelta(seconds=wait) if wait else None
    who = _stranger(user, client)
    trail.record(session, who, "auth.refused", name[:200], failures=failures.failures)
    raise IdentityError(REFUSED)


def _refuse_if_locked(until: datetime | None) -> None:
    if until is not None and until > now():
        wait = int((until - now()).total_seconds()) + 1
        raise RateError(
            f"Expected the right password, got wrong ones too often. Wait {wait} s.",
            retry_after=wait,
        )


def open_sitting(session: Session, settings: Settings, user: User, client: Client) -> Pair:
    """Begin a sitting for a user who has been recognised."""
    sitting = store.add_sitting(
        session, user.id, settings.refresh_days, client.address, client.agent
    )
    user.last_login_at = now()
    trail.record(session, _known(user, sitting, client), "auth.login", user.id)
    return _issue(session, settings, user, sitting)


def renew(session: Session, settings: Settings, refresh: str, client: Client) -> Pair:
    """Return a new pair for a refresh token. One that was used before ends the whole sitting."""
    found = store.refresh_token(session, tokens.digest(refresh))
    if found is None:
        raise IdentityError("The refresh token is not known. Log in again.")
    token, sitting, user = found
    if sitting.revoked_at is not None or sitting.expires_at < now() or not user.active:
        raise IdentityError("This login has ended. Log in again.")
    if token.used_at is not None:
        store.end_sittings(session, "reuse", user_id=user.id, only=sitting.id)
        trail.record(session, _known(user, sitting, client), "auth.reuse", user.id)
        raise IdentityError("The refresh token was used before: this login ends. Log in again.")
    token.used_at = now()
    sitting.refreshed_at = now()
    sitting.expires_at = now() + timedelta(days=settings.refresh_days)
    return _issue(session, settings, user, sitting)


def set_password(session: Session, who: Identity, new: str) -> None:
    """Set a user's own password; every sitting but this one ends."""
    user = store.user_by_id(session, who.user_id)
    if user is None:
        raise IdentityError("This user is gone.")
    check_password(new, user.name, user.email or "")
    user.password = hash_password(new)
    user.password_changed_at = now()
    user.must_change_password = False
    store.end_sittings(session, "password", user_id=user.id, but=who.via)
    trail.record(session, who, "auth.password", user.id)


def _issue(session: Session, settings: Settings, user: User, sitting: Sitting) -> Pair:
    refresh = tokens.new_token(tokens.REFRESH)
    store.add_refresh_token(session, sitting.id, tokens.digest(refresh))
    return Pair(
        sitting_id=sitting.id,
        access=tokens.sign_access(settings, user.id, sitting.id, Role(user.role)),
        refresh=refresh,
        must_change_password=user.must_change_password,
    )


def _known(user: User, sitting: Sitting, client: Client) -> Identity:
    return Identity(
        user.id, user.name, Role(user.role), via=sitting.id, kind="token", address=client.address
    )


def _stranger(user: User | None, client: Client) -> Identity:
    name = user.name if user is not None else "unknown"
    user_id = user.id if user is not None else ""
    return Identity(user_id, name, Role.VIEWER, via="", kind="token", address=client.address)
