"""Single sign-on: a login at an OpenID Connect issuer, by code with PKCE (RFC 7636)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

import httpx2
import jwt
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt as signed
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from waferscope.errors import IdentityError, NotFoundError, UnavailableError
from waferscope.service.auth.tokens import ALGORITHM, LEEWAY_S, derive_key
from waferscope.service.settings import Settings
from waferscope.service.tables.row import now

CALLBACK: Final = "/api/v1/auth/oidc/callback"
COOKIE: Final = "waferscope_oidc"
COOKIE_PATH: Final = "/api/v1/auth/oidc"
PATIENCE: Final = timedelta(minutes=10)
ALGORITHMS: Final = ["RS256", "ES256", "PS256"]
SCOPE: Final = "openid profile email"
TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class Journey:
    """The way to the issuer, and what the browser keeps until it is back."""

    url: str
    cookie: str


@dataclass(frozen=True)
class Stranger:
    """Who the issuer says it is. ``subject`` is its lasting name, ``name`` what to call it."""

    subject: str
    name: str
    email: str | None
    role: str


def set_out(settings: Settings) -> Journey:
    """Return where to send the browser. Raises NotFoundError without an issuer."""
    with _client(settings) as (client, metadata):
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], nonce=nonce, code_verifier=verifier
        )
    kept = {"state": state, "nonce": nonce, "verifier": verifier, "exp": now() + PATIENCE}
    return Journey(url, jwt.encode(kept, derive_key(settings, "oidc"), ALGORITHM))


def come_back(settings: Settings, cookie: str, state: str, code: str) -> Stranger:
    """Return who the issuer says has come back. Raises IdentityError unless all of it fits."""
    kept = _kept(settings, cookie)
    if not hmac.compare_digest(kept["state"].encode(), state.encode()):
        raise IdentityError("This login was not begun here. Begin again.")
    with _client(settings) as (client, metadata):
        token = client.fetch_token(
            metadata["token_endpoint"], code=code, code_verifier=kept["verifier"]
        )
        claims = _claims(settings, metadata, token, kept["nonce"])
    return Stranger(
        subject=f"{claims['iss']}|{claims['sub']}",
        name=str(claims.get("preferred_username") or claims.get("email") or claims["sub"]),
        email=claims.get("email"),
        role=str(claims.get(settings.oidc_role_claim, "")),
    )


def _kept(settings: Settings, cookie: str) -> dict[str, str]:
    try:
        kept: dict[str, str] = jwt.decode(
            cookie,
            derive_key(settings, "oidc"),
            algorithms=[ALGORITHM],
            options={"require": ["exp", "state", "nonce", "verifier"]},
        )
    except jwt.InvalidTokenError:
        raise IdentityError("This login was begun too long ago. Begin again.") from None
    return kept


def _claims(
    settings: Settings, metadata: dict[str, Any], token: dict[str, Any], nonce: str
) -> CodeIDToken:
    """Return the claims of the ID token, its signature and every claim of it checked."""
    keys = KeySet.import_key_set(cast("KeySetSerialization", _fetch(metadata["jwks_uri"])))
    decoded = signed.decode(token["id_token"], keys, algorithms=ALGORITHMS)
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={
            "iss": {"essential": True, "value": settings.oidc_issuer},
            "aud": {"essential": True, "value": settings.oidc_client_id},
        },
        params={
            "nonce": nonce,
            "client_id": settings.oidc_client_id,
            "access_token": token.get("access_token"),
        },
    )
    claims.validate(leeway=LEEWAY_S)
    return claims


@contextmanager
def _client(settings: Settings) -> Iterator[tuple[OAuth2Client, dict[str, Any]]]:
    """Give a client of the issuer and what the issuer says of itself."""
    if not settings.oidc_issuer:
        raise NotFoundError("There is no single sign-on here. Set WAFERSCOPE_OIDC_ISSUER.")
    try:
        metadata = _fetch(f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
        if metadata.get("issuer") != settings.oidc_issuer:
            raise IdentityError("The issuer's own name is not that of WAFERSCOPE_OIDC_ISSUER.")
        with OAuth2Client(
            settings.oidc_client_id,
            settings.oidc_client_secret.get_secret_value(),
            scope=SCOPE,
            redirect_uri=settings.public_url.rstrip("/") + CALLBACK,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
        ) as client:
            yield client, metadata
    except httpx2.HTTPError as error:
        raise UnavailableError("The issuer cannot be reached. Try again.") from error
    except (OAuthError, JoseError, KeyError, ValueError) as error:
        raise IdentityError("The issuer's answer is not valid. Begin again.") from error


def _fetch(url: str) -> dict[str, Any]:
    answer = httpx2.get(url, timeout=TIMEOUT_S).raise_for_status()
    return dict(answer.json())
