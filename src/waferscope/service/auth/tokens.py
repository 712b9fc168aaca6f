"""Tokens: short-lived signed ones (JWT) that say who asks, and secrets known by their digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import jwt

from waferscope.errors import IdentityError
from waferscope.service.auth.roles import Role
from waferscope.service.settings import Settings
from waferscope.service.tables.row import now

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "waferscope"
REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "jti", "role", "sid"]
API_KEY: Final = "wsk_"
REFRESH: Final = "wsr_"
LEEWAY_S: Final = 5
TOKENS_REMEMBERED: Final = 2048
"""Sound tokens whose signature is not reckoned anew with each request."""


@dataclass(frozen=True)
class Claims:
    """What a valid access token says: a user, and the sitting it descends from."""

    user_id: str
    sitting_id: str
    role: Role
    expires_at: datetime


def derive_key(settings: Settings, purpose: str) -> bytes:
    """Return a key for one purpose, so that no signature serves another one."""
    secret = settings.secret.get_secret_value().encode()
    return hmac.new(secret, f"waferscope:{purpose}".encode(), hashlib.sha256).digest()


def sign_access(settings: Settings, user_id: str, sitting_id: str, role: Role) -> str:
    """Return an access token."""
    at = now()
    payload = {
        "iss": settings.public_url,
        "aud": AUDIENCE,
        "sub": user_id,
        "sid": sitting_id,
        "role": role.value,
        "jti": secrets.token_hex(12),
        "iat": at,
        "exp": at + timedelta(minutes=settings.access_minutes),
    }
    return jwt.encode(payload, derive_key(settings, "access"), algorithm=ALGORITHM)


def read_access(settings: Settings, token: str) -> Claims:
    """Return what an access token says. Raises IdentityError unless every part of it is sound."""
    try:
        claims = _verified(token, derive_key(settings, "access"), settings.public_url)
        if claims.expires_at + timedelta(seconds=LEEWAY_S) <= now():
            raise jwt.ExpiredSignatureError
    except jwt.ExpiredSignatureError:
        raise IdentityError("The access token has expired. Refresh it or log in again.") from None
    except (jwt.InvalidTokenError, ValueError):
        raise IdentityError("The access token is not valid. Log in again.") from None
    return claims


@lru_cache(maxsize=TOKENS_REMEMBERED)
def _verified(token: str, key: bytes, issuer: str) -> Claims:
    """Return what a sound token says; that it is sound does not change, only whether it is late."""
    payload: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=issuer,
        leeway=LEEWAY_S,
        options={"require": REQUIRED},
    )
    return Claims(
        user_id=str(payload["sub"]),
        sitting_id=str(payload["sid"]),
        role=Role(payload["role"]),
        expires_at=datetime.fromtimestamp(payload["exp"], tz=now().tzinfo),
    )


def new_token(kind: str) -> str:
    """Return a secret of 256 bits behind a prefix that tells what it is."""
    return kind + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what is kept of such a secret: it is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
