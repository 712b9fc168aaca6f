"""Tokens that were bent: nobody is let in by one, and nobody gets a higher role."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import SECRET, People, Person, add_person
from waferscope.service.auth.tokens import derive_key
from waferscope.service.parts import Parts
from waferscope.service.tables.row import now


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def status(client: TestClient, token: str) -> int:
    return client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture
def viewer(house: Parts) -> Person:
    return add_person(house, "viewer")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS384", "RS256"])
def test_another_algorithm_in_the_header(
    client: TestClient, viewer: Person, algorithm: str
) -> None:
    body = part({**claims_of(viewer.token), "role": "admin"})
    head = part({"alg": algorithm, "typ": "JWT"})
    signature = viewer.token.rsplit(".", 1)[1]
    for end in ("", signature):
        assert status(client, f"{head}.{body}.{end}") == 401


def test_a_signature_by_what_is_public(client: TestClient, viewer: Person, house: Parts) -> None:
    claims = {**claims_of(viewer.token), "role": "admin"}
    for key in ("", "waferscope", house.settings.public_url, SECRET):
        for name in ("HS256", "HS512"):
            head, body = part({"alg": name, "typ": "JWT"}), part(claims)
            kind = hashlib.sha256 if name == "HS256" else hashlib.sha512
            made = hmac.new(key.encode(), f"{head}.{body}".encode(), kind).digest()
            end = base64.urlsafe_b64encode(made).decode().rstrip("=")
            assert status(client, f"{head}.{body}.{end}") == 401, (key, name)


@pytest.mark.parametrize("field", ["jku", "x5u", "jwk", "kid", "x5c"])
def test_a_header_that_points_to_another_key(
    client: TestClient, viewer: Person, house: Parts, field: str
) -> None:
    claims = {**claims_of(viewer.token), "role": "admin"}
    mine = b"an attacker's own key, of thirty-two bytes"
    given: Any = {"kty": "oct", "k": base64.urlsafe_b64encode(mine).decode()}
    points: Any = {"jwk": given, "kid": "../../../../dev/null", "x5c": ["AAAA"]}
    header = {field: points.get(field, "https://attacker.example/keys.json")}
    token = jwt.encode(claims, mine, algorithm="HS256", headers=header)
    assert status(client, token) == 401


def test_a_changed_body_under_the_old_signature(client: TestClient, viewer: Person) -> None:
    head, _, end = viewer.token.split(".")
    for change in ({"role": "admin"}, {"sub": "usr_1"}, {"exp": 9_999_999_999}, {"sid": "sit_1"}):
        assert status(client, f"{head}.{part({**claims_of(viewer.token), **change})}.{end}") == 401


def signed(house: Parts, **claims: Any) -> str:
    """A token that our own key signed: what a thief of the key, or a defect, could make."""
    return jwt.encode(claims, derive_key(house.settings, "access"), algorithm="HS256")


def test_the_role_is_that_of_the_records_whatever_a_token_says(
    client: TestClient, viewer: Person, house: Parts
) -> None:
    raised = signed(house, **{**claims_of(viewer.token), "role": "admin"})
    headers = {"Authorization": f"Bearer {raised}"}
    assert client.get("/auth/me", headers=headers).json()["role"] == "viewer"
    assert client.get("/users", headers=headers).status_code == 403


def test_a_token_of_somebody_elses_login(client: TestClient, viewer: Person, house: Parts) -> None:
    admin = add_person(house, "admin")
    mixed = {**claims_of(viewer.token), "sub": admin.id}
    assert status(client, signed(house, **mixed)) == 401


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "jti", "role", "sid"])
def test_a_token_without_a_claim(
    client: TestClient, viewer: Person, house: Parts, claim: str
) -> None:
    left = {name: value for name, value in claims_of(viewer.token).items() if name != claim}
    assert status(client, signed(house, **left)) == 401


def test_a_token_of_yesterday_or_tomorrow(client: TestClient, viewer: Person, house: Parts) -> None:
    claims = claims_of(viewer.token)
    for change in (
        {"exp": now() - timedelta(seconds=30)},
        {"nbf": now() + timedelta(hours=1)},
        {"iat": now() + timedelta(hours=1)},
    ):
        assert status(client, signed(house, **{**claims, **change})) == 401


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer ",
        "Bearer a.b",
        "Bearer a.b.c",
        "Bearer ....",
        "Basic YTpi",
        "Bearer wsk_x",
    ],
)
def test_what_is_no_token(client: TestClient, given: str) -> None:
    assert client.get("/auth/me", headers={"Authorization": given}).status_code == 401


def test_a_token_in_the_address_is_not_looked_at(client: TestClient, viewer: Person) -> None:
    for name in ("token", "access_token", "authorization", "api_key"):
        assert client.get("/auth/me", params={name: viewer.token}).status_code == 401


def test_a_refresh_token_opens_nothing_else(client: TestClient, people: People) -> None:
    admin = people("admin")
    password = "kelp-orbit-tannin-7"
    assert admin.post("/users", json={"name": "ada", "password": password}).status_code == 201
    pair = client.post("/auth/login", json={"name": "ada", "password": password}).json()
    assert status(client, pair["access_token"]) == 200
    assert status(client, pair["refresh_token"]) == 401
    used = client.post("/auth/refresh", json={"refresh_token": pair["access_token"]})
    assert used.status_code in {401, 422}  # it is too long to be one
