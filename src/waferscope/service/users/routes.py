"""Managing people: ``/api/v1/users``, for admins."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.orm import Session

from waferscope.errors import ConflictError
from waferscope.service.auth.identity import Admin, Identity
from waferscope.service.auth.passwords import check_password, hash_password, new_password
from waferscope.service.auth.roles import Role
from waferscope.service.auth.store import forget_failures
from waferscope.service.db import Reads, Writes
from waferscope.service.idempotency import CallOnce
from waferscope.service.paging import Paging, page_of
from waferscope.service.schema import Page
from waferscope.service.store import record
from waferscope.service.tables import User
from waferscope.service.users import store
from waferscope.service.users.schemas import NewUser, UserChange, UserMade, UserShown

router = APIRouter(prefix="/users", tags=["users"])


@router.post("", status_code=201)
def create_user(body: NewUser, who: Admin, session: Writes, once: CallOnce) -> UserMade:
    """Create a user; the one-time password is answered this once."""
    return once.keep(make_user(session, who, body), "one_time_password")


def make_user(session: Session, who: Identity, body: NewUser) -> UserMade:
    """Create a user for whoever asks, over HTTP or at the command line."""
    if body.password is not None:
        check_password(body.password, body.name, body.email or "")
    password = body.password or new_password()
    user = store.add_user(
        session,
        User(
            name=body.name.lower(),
            role=body.role.value,
            email=body.email,
            password=hash_password(password),
            must_change_password=body.password is None,
        ),
    )
    record(session, who, "users.create", user.id, name=user.name, role=user.role)
    made = UserMade.model_validate(user)
    return made.model_copy(
        update={"one_time_password": None if body.password is not None else password}
    )


@router.get("")
def list_users(who: Admin, session: Reads, page: Paging) -> Page[UserShown]:
    """List the users, newest first."""
    rows = store.list_users(session, page)
    return page_of(rows, page, lambda user: [user.id], UserShown.model_validate)


@router.get("/{user_id}")
def get_user(user_id: str, who: Admin, session: Reads) -> UserShown:
    """Show a user."""
    return UserShown.model_validate(store.get_user(session, user_id))


@router.patch("/{user_id}")
def change_user(user_id: str, body: UserChange, who: Admin, session: Writes) -> UserShown:
    """Change a user's role, or close the account: its logins end at once."""
    user = store.get_user(session, user_id)
    given = body.model_dump(exclude_unset=True, exclude_none=True)
    _keep_an_admin(session, user, body)
    for name, value in given.items():
        setattr(user, name, value)
    if body.active is False:
        store.end_sittings(session, user.id, "closed")
    record(session, who, "users.change", user.id, **given)
    return UserShown.model_validate(user)


@router.post("/{user_id}/password")
def reset_password(user_id: str, who: Admin, session: Writes, once: CallOnce) -> UserMade:
    """Give a user a one-time password, answered this once; every login of the user ends."""
    made = renew_password(session, who, store.get_user(session, user_id))
    return once.keep(made, "one_time_password", status=200)


def renew_password(session: Session, who: Identity, user: User) -> UserMade:
    """Give a user a one-time password for whoever asks, over HTTP or at the command line."""
    password = new_password()
    user.password = hash_password(password)
    user.must_change_password = True
    store.end_sittings(session, user.id, "reset")
    forget_failures(session, user.name)
    record(session, who, "users.reset_password", user.id)
    made = UserMade.model_validate(user)
    return made.model_copy(update={"one_time_password": password})


def _keep_an_admin(session: Session, user: User, change: UserChange) -> None:
    loses = change.active is False or (change.role is not None and change.role != Role.ADMIN)
    if user.role == Role.ADMIN and loses and store.other_admins(session, user.id) == 0:
        raise ConflictError(
            "Expected an active admin to remain, got a change of the last one. "
            "Make another admin first."
        )
