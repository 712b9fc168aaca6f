"""Where a webhook may go, and how its deliveries are signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from waferscope.errors import InputError, RightsError
from waferscope.service.auth.tokens import derive_key
from waferscope.service.settings import Settings

SIGNATURE: Final = "X-WaferScope-Signature"
TIMESTAMP: Final = "X-WaferScope-Timestamp"
SECRET_PREFIX: Final = "whs_"  # noqa: S105 - a prefix, not a secret


def check_url(url: str, hosts: Collection[str], *, https_only: bool) -> None:
    """Raise unless the URL leads to one of the hosts, and nowhere else.

    A host of the list may carry a port; without one it stands for the scheme's own port.
    """
    parts = _split(url)
    if parts.scheme not in ({"https"} if https_only else {"https", "http"}):
        raise InputError(f"Expected a URL with https, got {parts.scheme or 'none'}. Change it.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InputError("Expected a URL without user, password and #, got one. Leave them out.")
    host = (parts.hostname or "").lower()
    wanted = host if parts.port is None else f"{host}:{parts.port}"
    if wanted not in {one.lower() for one in hosts}:
        raise RightsError(
            f"Expected a host that is allowed, got {wanted!r}. "
            "Ask an admin to add it to WAFERSCOPE_WEBHOOK_HOSTS."
        )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InputError("Expected a URL, got something else. Correct it.") from None
    if not url.isascii() or any(letter.isspace() or letter == "\\" for letter in url):
        raise InputError("Expected a URL of plain ASCII, got other letters. Encode them.")
    return parts


def secret_of(settings: Settings, webhook_id: str, salt: str) -> str:
    """Return the secret of a webhook: made from the server's own, and kept nowhere."""
    key = derive_key(settings, "webhook")
    return SECRET_PREFIX + hmac.new(key, f"{webhook_id}:{salt}".encode(), "sha256").hexdigest()


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a delivery: HMAC-SHA256 over the time, a dot and the body.

    >>> sign("whs_x", 1, b"{}")[:15]
    'sha256=8543495b'
    """
    message = f"{timestamp}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
