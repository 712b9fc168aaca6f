"""Who may do what, and who did: users, sittings, keys, the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from waferscope.service.tables.row import (
    ID_LENGTH,
    Digest,
    Key,
    Made,
    Name,
    OptionalName,
    Row,
    UserKey,
)


class User(Row):
    """Who may log in. ``name`` is lower case; ``password`` an argon2 hash, None with OIDC."""

    __tablename__ = "users"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(200), unique=True)
    email: Mapped[OptionalName]
    role: Mapped[str] = mapped_column(String(20))
    password: Mapped[str | None] = mapped_column(String(300))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    oidc_subject: Mapped[str | None] = mapped_column(String(300), unique=True)
    created_at: Mapped[Made]
    password_changed_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]


class LoginFailure(Row):
    """Wrong passwords for a name, known or not, since its last right one."""

    __tablename__ = "login_failures"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[Made]
    locked_until: Mapped[datetime | None]


class Sitting(Row):
    """One login and all tokens that descend from it: the family of its refresh tokens."""

    __tablename__ = "sittings"

    id: Mapped[Key]
    user_id: Mapped[UserKey] = mapped_column(index=True)
    created_at: Mapped[Made]
    refreshed_at: Mapped[Made]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    revoked_why: Mapped[OptionalName]
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[Name] = mapped_column(default="")


class RefreshToken(Row):
    """A refresh token by its digest; used twice, it betrays its sitting."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    sitting_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("sittings.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[Made]
    used_at: Mapped[datetime | None]


class ApiKey(Row):
    """A key for a program, by its digest. It has a role and scopes, at most those of its owner."""

    __tablename__ = "api_keys"

    id: Mapped[Key]
    user_id: Mapped[UserKey] = mapped_column(index=True)
    name: Mapped[Name]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(20))
    role: Mapped[str] = mapped_column(String(20))
    scopes: Mapped[list[str]]
    created_at: Mapped[Made]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class AuditEntry(Row):
    """Who did what to what, and when. Triggers refuse any change of a row."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[Made] = mapped_column(index=True)
    actor_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    actor: Mapped[Name]
    via: Mapped[str] = mapped_column(String(ID_LENGTH + 10), default="")
    action: Mapped[str] = mapped_column(String(60))
    target: Mapped[str] = mapped_column(String(200), default="")
    detail: Mapped[dict[str, Any]]
    request_id: Mapped[str] = mapped_column(String(64), default="")
    address: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (
        Index(None, "actor_id", "id"),
        Index(None, "action", "id"),
        Index(None, "target", "id"),
    )


class IdempotencyKey(Row):
    """The answer to a creating call, given again when the call is repeated under the same key."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[Digest]
    status: Mapped[int] = mapped_column(default=0)
    body: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[Made] = mapped_column(index=True)
