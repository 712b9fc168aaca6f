"""The SQL of users."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.auth.roles import Role
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.store import keep, newest_first
from waferscope.service.tables import Sitting, User
from waferscope.service.tables.row import now


def add_user(session: Session, user: User) -> User:
    """Add a user. Raises ConflictError when the name is taken."""
    user.id = new_id("usr")
    session.add(user)
    keep(session, f"Expected a name that is free, got {user.name!r}. Take another one.")
    return user


def get_user(session: Session, user_id: str) -> User:
    """Return a user. Raises NotFoundError."""
    found = session.get(User, user_id)
    if found is None:
        raise NotFoundError(f"Expected the id of a user, got {user_id!r}. Look into the list.")
    return found


def list_users(session: Session, place: Place) -> list[User]:
    """Return one user more than the page has room for, newest first."""
    return list(session.scalars(newest_first(select(User), User.id, place)))


def other_admins(session: Session, user_id: str) -> int:
    """Return how many active admins there are besides the user, held until the end."""
    admins = (
        select(User.id)
        .where(User.role == Role.ADMIN.value, User.active, User.id != user_id)
        .with_for_update()
    )
    return len(session.scalars(admins).all())


def count_users(session: Session) -> int:
    """Return how many users there are."""
    return session.scalar(select(func.count()).select_from(User)) or 0


def end_sittings(session: Session, user_id: str, why: str) -> None:
    """End every sitting of a user."""
    running = update(Sitting).where(Sitting.user_id == user_id, Sitting.revoked_at.is_(None))
    session.execute(running.values(revoked_at=now(), revoked_why=why))
