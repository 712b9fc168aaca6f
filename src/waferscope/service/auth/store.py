"""The SQL of logging in and staying so: users, failures, sittings, refresh tokens, keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from waferscope.service.auth.roles import Role, lesser
from waferscope.service.ids import new_id
from waferscope.service.tables import ApiKey, LoginFailure, RefreshToken, Sitting, User
from waferscope.service.tables.row import now

USE_NOTED_EVERY: Final = timedelta(minutes=1)
"""A key's last use is written at most so often: a tester may ask a hundred times a second."""
FAILURES_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True)
class KnownUser:
    """What a request needs of a user who is logged in."""

    id: str
    name: str
    role: str
    must_change_password: bool


@dataclass(frozen=True)
class KnownSitting:
    """What a logout needs of a login whose access has run out."""

    id: str
    user_id: str
    user_name: str
    role: str


@dataclass(frozen=True)
class KnownKey:
    """What a request needs of a key and its owner."""

    id: str
    user_id: str
    user_name: str
    role: Role
    scopes: tuple[str, ...]
    used_at: datetime | None


_USER_OF_SITTING = (
    select(User.id, User.name, User.role, User.must_change_password, Sitting.expires_at)
    .join(Sitting, Sitting.user_id == User.id)
    .where(User.id == bindparam("user_id"), Sitting.id == bindparam("sitting_id"))
    .where(User.active, Sitting.revoked_at.is_(None))
)


def user_of_sitting(
    records: Session | Connection, user_id: str, sitting_id: str
) -> KnownUser | None:
    """Return an active user whose sitting goes on, or None."""
    wanted = {"user_id": user_id, "sitting_id": sitting_id}
    found = records.execute(_USER_OF_SITTING, wanted).one_or_none()
    if found is None or found.expires_at < now():
        return None
    return KnownUser(found.id, found.name, found.role, found.must_change_password)


def key_by_digest(session: Session, digest: str) -> KnownKey | None:
    """Return a key that may be used, of an active owner, or None."""
    found = session.execute(
        select(ApiKey, User.name, User.role)
        .join(User, User.id == ApiKey.user_id)
        .where(ApiKey.digest == digest, ApiKey.revoked_at.is_(None), User.active)
    ).one_or_none()
    if found is None:
        return None
    key, name, role = found
    if key.expires_at is not None and key.expires_at < now():
        return None
    return KnownKey(
        id=key.id,
        user_id=key.user_id,
        user_name=name,
        role=lesser(Role(key.role), Role(role)),
        scopes=tuple(key.scopes),
        used_at=key.used_at,
    )


def use_is_stale(key: KnownKey) -> bool:
    """Return whether the key's last use is to be written again."""
    return key.used_at is None or now() - key.used_at > USE_NOTED_EVERY


def note_use(session: Session, key_id: str) -> None:
    """Write that the key is used now."""
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(used_at=now()))


def user_by_name(session: Session, name: str) -> User | None:
    """Return the user of that name, whatever its case."""
    return session.scalar(select(User).where(User.name == name.lower()))


def user_by_subject(session: Session, subject: str) -> User | None:
    """Return the user whom the single sign-on knows by that subject."""
    return session.scalar(select(User).where(User.oidc_subject == subject))


def add_user(session: Session, name: str, role: str, email: str | None, subject: str) -> User:
    """Add a user whom the single sign-on knows; it has no password."""
    user = User(id=new_id("usr"), name=name, role=role, email=email, oidc_subject=subject)
    session.add(user)
    session.flush()
    return user


def user_by_id(session: Session, user_id: str) -> User | None:
    """Return the user."""
    return session.get(User, user_id)


def failures_of(session: Session, name: str) -> LoginFailure:
    """Return the count of a name's failures, held against other logins until the end.

    One statement adds it and holds it: a row that is not there yet cannot be held by reading, nor
    one that another login forgets meanwhile.
    """
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    insert: Any = (postgresql if is_postgresql else sqlite).insert(LoginFailure)
    held = (
        insert.values(name=name.lower()[:200], failures=0, failed_at=now())
        .on_conflict_do_update(
            index_elements=[LoginFailure.name], set_={"failures": LoginFailure.failures}
        )
        .returning(LoginFailure)
    )
    found: LoginFailure = session.scalars(held, execution_options={"populate_existing": True}).one()
    return found


def forget_failures(session: Session, name: str) -> None:
    """Forget the failures of a name, and those of all names that are old."""
    old = now() - FAILURES_KEPT
    session.execute(
        delete(LoginFailure).where(
            or_(LoginFailure.name == name.lower()[:200], LoginFailure.failed_at < old)
        )
    )


def add_sitting(session: Session, user_id: str, days: int, address: str, agent: str) -> Sitting:
    """Begin a sitting, and drop those of the user that are long over."""
    session.execute(
        delete(Sitting).where(
            Sitting.user_id == user_id, Sitting.expires_at < now() - timedelta(days=days)
        )
    )
    sitting = Sitting(
        id=new_id("sit"),
        user_id=user_id,
        expires_at=now() + timedelta(days=days),
        address=address,
        agent=agent[:200],
    )
    session.add(sitting)
    session.flush()
    return sitting


def add_refresh_token(session: Session, sitting_id: str, digest: str) -> None:
    """Keep the digest of a new refresh token."""
    session.add(RefreshToken(digest=digest, sitting_id=sitting_id))


def refresh_token(session: Session, digest: str) -> tuple[RefreshToken, Sitting, User] | None:
    """Return a refresh token with its sitting and user, held until the end."""
    found = session.execute(
        select(RefreshToken, Sitting, User)
        .join(Sitting, Sitting.id == RefreshToken.sitting_id)
        .join(User, User.id == Sitting.user_id)
        .where(RefreshToken.digest == digest)
        .with_for_update()
    ).one_or_none()
    return None if found is None else (found[0], found[1], found[2])


def sitting_of_refresh(records: Session | Connection, digest: str) -> KnownSitting | None:
    """Return the sitting of a refresh token, used up or not; None once the sitting was ended."""
    found = records.execute(
        select(Sitting.id, User.id.label("user_id"), User.name, User.role)
        .join(RefreshToken, RefreshToken.sitting_id == Sitting.id)
        .join(User, User.id == Sitting.user_id)
        .where(RefreshToken.digest == digest, Sitting.revoked_at.is_(None))
    ).one_or_none()
    return None if found is None else KnownSitting(*found)


def end_sittings(
    session: Session, why: str, *, user_id: str, only: str = "", but: str = ""
) -> None:
    """End one sitting of a user, or all of them but one."""
    mine = [Sitting.user_id == user_id, Sitting.revoked_at.is_(None)]
    if only:
        mine.append(Sitting.id == only)
    if but:
        mine.append(Sitting.id != but)
    session.execute(update(Sitting).where(*mine).values(revoked_at=now(), revoked_why=why))
