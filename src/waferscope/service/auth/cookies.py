"""The three cookies of a browser's login, and the token against forged requests."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from fastapi import Response

from waferscope.service.auth.tokens import derive_key
from waferscope.service.settings import Settings

ACCESS: Final = "waferscope_access"
REFRESH: Final = "waferscope_refresh"
CSRF: Final = "waferscope_csrf"
CSRF_HEADER: Final = "X-CSRF-Token"
REFRESH_PATH: Final = "/api/v1/auth"


def csrf_token(settings: Settings, sitting_id: str) -> str:
    """Return the token that belongs to a sitting; another sitting's does not fit."""
    key = derive_key(settings, "csrf")
    return hmac.new(key, sitting_id.encode(), hashlib.sha256).hexdigest()


def set_cookies(
    response: Response, settings: Settings, sitting_id: str, access: str, refresh: str
) -> None:
    """Give a browser its login. Only the CSRF token is there for scripts to read."""
    week = settings.refresh_days * 86_400
    hour = settings.access_minutes * 60
    for name, value, age, path, hidden in (
        (ACCESS, access, hour, "/", True),
        (REFRESH, refresh, week, REFRESH_PATH, True),
        (CSRF, csrf_token(settings, sitting_id), week, "/", False),
    ):
        response.set_cookie(
            name,
            value,
            max_age=age,
            path=path,
            httponly=hidden,
            secure=settings.cookie_secure,
            samesite="lax" if name == ACCESS else "strict",
        )


def clear_cookies(response: Response) -> None:
    """Take the login back."""
    for name, path in ((ACCESS, "/"), (REFRESH, REFRESH_PATH), (CSRF, "/")):
        response.delete_cookie(name, path=path)
