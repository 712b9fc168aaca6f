"""Access tokens: what is in them, and every way to bend one."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from waferscope.errors import IdentityError
from waferscope.service.auth import tokens
from waferscope.service.auth.roles import Role
from waferscope.service.auth.tokens import derive_key, digest, new_token, read_access, sign_access
from waferscope.service.settings import Settings
from waferscope.service.tables.row import now

SETTINGS = Settings(public_url="https://wafers.example")
KEY = derive_key(SETTINGS, "access")


def payload(**other: Any) -> dict[str, Any]:
    right = {
        "iss": "https://wafers.example",
        "aud": "waferscope",
        "sub": "usr_1",
        "sid": "sit_1",
        "role": "viewer",
        "jti": "1",
        "iat": now(),
        "exp": now() + timedelta(minutes=1),
    }
    return {name: value for name, value in {**right, **other}.items() if value is not None}


def encode(key: Any = KEY, algorithm: str = "HS256", **other: Any) -> str:
    return jwt.encode(payload(**other), key, algorithm=algorithm)


def test_what_is_signed_is_read() -> None:
    claims = read_access(SETTINGS, sign_access(SETTINGS, "usr_1", "sit_1", Role.ENGINEER))
    assert (claims.user_id, claims.sitting_id, claims.role) == ("usr_1", "sit_1", "engineer")
    assert timedelta(minutes=59) < claims.expires_at - now() <= timedelta(minutes=60)


def test_an_outsider_can_read_but_not_make_one() -> None:
    token = sign_access(SETTINGS, "usr_1", "sit_1", Role.ADMIN)
    header, body, _ = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert set(said) == {"iss", "aud", "sub", "sid", "role", "jti", "iat", "exp"}
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "jti", "role", "sid"])
def test_every_claim_has_to_be_there(claim: str) -> None:
    read_access(SETTINGS, encode())
    absent: dict[str, Any] = {claim: None}
    with pytest.raises(IdentityError, match="not valid"):
        read_access(SETTINGS, encode(**absent))


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://other.example"},
        {"aud": "other"},
        {"role": "emperor"},
        {"iat": now() + timedelta(hours=1)},
        {"sub": 7},
    ],
    ids=lambda other: str(next(iter(other))),
)
def test_every_claim_has_to_be_right(other: dict[str, Any]) -> None:
    with pytest.raises(IdentityError, match="not valid"):
        read_access(SETTINGS, encode(**other))


def test_an_expired_one_says_so() -> None:
    with pytest.raises(IdentityError, match="expired"):
        read_access(SETTINGS, encode(exp=now() - timedelta(minutes=1)))


def test_one_that_was_sound_expires_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    token = encode()
    read_access(SETTINGS, token)
    monkeypatch.setattr(tokens, "now", lambda: now() + timedelta(minutes=2))
    with pytest.raises(IdentityError, match="expired"):
        read_access(SETTINGS, token)


def test_one_that_was_sound_is_not_under_another_secret() -> None:
    token = encode()
    read_access(SETTINGS, token)
    other = SETTINGS.model_copy(update={"secret": SecretStr("another secret of some length")})
    with pytest.raises(IdentityError, match="not valid"):
        read_access(other, token)


def test_no_algorithm_but_ours() -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    body = encode().split(".")[1]
    for token in (
        f"{header}.{body}.",
        encode(algorithm="HS512"),
        encode(key=None, algorithm="none"),
    ):
        with pytest.raises(IdentityError, match="not valid"):
            read_access(SETTINGS, token)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_letter_is_noticed(part: int) -> None:
    parts = sign_access(SETTINGS, "usr_1", "sit_1", Role.VIEWER).split(".")
    letter = parts[part][5]
    parts[part] = parts[part][:5] + ("A" if letter != "A" else "B") + parts[part][6:]
    with pytest.raises(IdentityError):
        read_access(SETTINGS, ".".join(parts))


def test_a_key_of_another_purpose_does_not_fit() -> None:
    with pytest.raises(IdentityError):
        read_access(SETTINGS, encode(key=derive_key(SETTINGS, "oidc")))
    with pytest.raises(IdentityError):
        read_access(SETTINGS, encode(key=SETTINGS.secret.get_secret_value()))


def test_secrets_are_long_random_and_known_by_digest() -> None:
    tokens = {new_token("wsk_") for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 47 for token in tokens)
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
