"""Logging in at an issuer: who comes back is who was sent, and nobody else gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import update

from tests.service.auth.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, issuing, new_key
from tests.service.conftest import add_person
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import User


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as one:
        yield one


@pytest.fixture
def settings(settings: Settings, issuer: Issuer) -> Settings:
    return settings.model_copy(
        update={
            "oidc_issuer": issuer.url,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": SecretStr(CLIENT_SECRET),
        }
    )


def go_round(client: TestClient, issuer: Issuer, **other: str) -> Any:
    begun = client.get("/auth/oidc/login", follow_redirects=False)
    assert begun.status_code == 303, begun.text
    back = {**issuer.visit(begun.headers["Location"]), **other}
    return client.get("/auth/oidc/callback", params=back, follow_redirects=False)


def test_a_stranger_becomes_a_viewer_and_is_known_the_next_time(
    client: TestClient, issuer: Issuer
) -> None:
    for _ in range(2):
        done = go_round(client, issuer)
        assert done.status_code == 303, done.text
        assert done.headers["Location"] == "/"
        me = client.get("/auth/me").json()
        assert (me["name"], me["role"], me["via"]) == ("ada-lovelace", "viewer", "cookie")
    assert issuer.asked["code_challenge_method"] == "S256"
    assert issuer.asked["redirect_uri"].endswith("/api/v1/auth/oidc/callback")


@pytest.mark.parametrize(("claim", "role"), [("engineer", "engineer"), ("emperor", "viewer")])
def test_the_role_is_that_of_the_claim(
    client: TestClient, issuer: Issuer, claim: str, role: str
) -> None:
    issuer.claims = {"waferscope_role": claim}
    go_round(client, issuer)
    assert client.get("/auth/me").json()["role"] == role


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another client"},
        {"iss": "http://another.issuer"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
    ],
    ids=lambda lie: "-".join(f"{name}={value}" for name, value in lie.items()),
)
def test_a_token_that_does_not_fit_is_refused(
    client: TestClient, issuer: Issuer, lie: dict[str, Any]
) -> None:
    issuer.claims = lie
    assert go_round(client, issuer).status_code == 401
    assert client.get("/auth/me").status_code == 401


def test_a_token_signed_by_another_key_is_refused(client: TestClient, issuer: Issuer) -> None:
    issuer.signing_key = new_key()
    assert go_round(client, issuer).status_code == 401


@pytest.mark.parametrize("other", [{"state": "another"}, {"code": "another"}, {"code": ""}])
def test_a_way_back_that_was_not_begun_here_is_refused(
    client: TestClient, issuer: Issuer, other: dict[str, str]
) -> None:
    assert go_round(client, issuer, **other).status_code == 401


def test_without_the_cookie_nobody_comes_back(client: TestClient, issuer: Issuer) -> None:
    begun = client.get("/auth/oidc/login", follow_redirects=False)
    back = issuer.visit(begun.headers["Location"])
    client.cookies.clear()
    assert client.get("/auth/oidc/callback", params=back).status_code == 401


def test_an_account_with_a_password_is_not_taken_over(
    client: TestClient, issuer: Issuer, house: Parts
) -> None:
    person = add_person(house, "admin")
    issuer.claims = {"preferred_username": person.name}
    assert go_round(client, issuer).status_code == 409


def test_a_closed_account_stays_closed(client: TestClient, issuer: Issuer, house: Parts) -> None:
    go_round(client, issuer)
    with house.records.writing() as session:
        session.execute(update(User).values(active=False))
    assert go_round(client, issuer).status_code == 401


def test_an_issuer_of_another_name_is_refused(client: TestClient, issuer: Issuer) -> None:
    issuer.name = "http://another.issuer"
    assert client.get("/auth/oidc/login").status_code == 401


class TestElsewhere:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9"})

    def test_an_issuer_out_of_reach_is_said(self, client: TestClient) -> None:
        assert client.get("/auth/oidc/login").status_code == 503


class TestNowhere:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"oidc_issuer": ""})

    def test_without_an_issuer_there_is_no_such_login(self, client: TestClient) -> None:
        assert client.get("/auth/oidc/login").status_code == 404


class TestOften:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        often = {"rate_login": "2/minute", "rate_address": "3/minute"}
        return settings.model_copy(update=often)

    def test_journeys_are_counted_by_address(self, client: TestClient) -> None:
        for path, most, right in (("login", 3, 303), ("callback", 2, 401)):
            asked = [
                client.get(f"/auth/oidc/{path}", follow_redirects=False) for _ in range(most + 1)
            ]
            assert [one.status_code for one in asked] == [right] * most + [429]
            assert int(asked[-1].headers["Retry-After"]) >= 1
