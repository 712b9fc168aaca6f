"""Logging in, staying so, and out; with tokens and with cookies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from tests.service.conftest import PASSWORD, People, add_person
from waferscope.service.auth.passwords import hash_password
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import AuditEntry, LoginFailure, Sitting
from waferscope.service.tables.row import now

HASH = hash_password(PASSWORD)
OTHER = "walnut-quasar-bridle-4"


@pytest.fixture
def name(house: Parts) -> str:
    """The name of an engineer with a password."""
    return add_person(house, "engineer", password=HASH).name


def log_in(client: TestClient, name: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/auth/login", json={"name": name, "password": password, **more})


def bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def actions(house: Parts) -> list[str]:
    with house.records.reading() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_a_token_tells_who_asks(client: TestClient, name: str) -> None:
    answer = log_in(client, name)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 3600
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    me = client.get("/auth/me", headers=bearer(answer)).json()
    assert (me["name"], me["role"], me["via"]) == (name, "engineer", "token")


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer nonsense", "Basic dTpw", "Bearer a.b.c"])
def test_without_a_sound_token_nobody_is_known(client: TestClient, given: str) -> None:
    answer = client.get("/auth/me", headers={"Authorization": given} if given else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_wrong_name_and_a_wrong_password_are_told_alike(client: TestClient, name: str) -> None:
    wrong, unknown = log_in(client, name, OTHER), log_in(client, "nobody", OTHER)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


def test_names_are_locked_after_five_failures_with_growing_waits(
    client: TestClient, name: str, house: Parts
) -> None:
    assert [log_in(client, name, OTHER).status_code for _ in range(5)] == [401] * 5
    locked = log_in(client, name)
    assert locked.status_code == 429
    assert 25 <= int(locked.headers["Retry-After"]) <= 31
    with house.records.writing() as session:
        session.execute(update(LoginFailure).values(locked_until=now() - timedelta(seconds=1)))
    assert log_in(client, name, OTHER).status_code == 401
    assert 55 <= int(log_in(client, name).headers["Retry-After"]) <= 61
    with house.records.writing() as session:
        session.execute(update(LoginFailure).values(locked_until=None))
    assert log_in(client, name).status_code == 200
    assert log_in(client, name, OTHER).status_code == 401  # counted from the start again
    assert log_in(client, name).status_code == 200
    assert actions(house).count("auth.refused") == 7


def test_names_that_nobody_has_are_locked_too(client: TestClient) -> None:
    statuses = [log_in(client, "nobody", OTHER).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_a_refresh_token_is_good_for_one_use(client: TestClient, name: str, house: Parts) -> None:
    first = log_in(client, name).json()["refresh_token"]
    renewed = client.post("/auth/refresh", json={"refresh_token": first})
    assert renewed.status_code == 200
    assert client.get("/auth/me", headers=bearer(renewed)).status_code == 200
    again = client.post("/auth/refresh", json={"refresh_token": first})
    assert again.status_code == 401
    # Reuse betrays the whole family: neither its newest tokens are good any more.
    newest = renewed.json()["refresh_token"]
    assert client.post("/auth/refresh", json={"refresh_token": newest}).status_code == 401
    assert client.get("/auth/me", headers=bearer(renewed)).status_code == 401
    assert actions(house)[-1] == "auth.reuse"


def test_an_expired_login_is_not_renewed(client: TestClient, name: str, house: Parts) -> None:
    token = log_in(client, name).json()["refresh_token"]
    with house.records.writing() as session:
        session.execute(update(Sitting).values(expires_at=now() - timedelta(seconds=1)))
    assert client.post("/auth/refresh", json={"refresh_token": token}).status_code == 401


@pytest.mark.parametrize("token", ["wsr_unknown", None])
def test_an_unknown_refresh_token_is_refused(client: TestClient, token: str | None) -> None:
    body = {} if token is None else {"refresh_token": token}
    assert client.post("/auth/refresh", json=body).status_code == 401


def test_after_a_logout_no_token_is_good(client: TestClient, name: str) -> None:
    one, other = log_in(client, name), log_in(client, name)
    assert client.post("/auth/logout", headers=bearer(one)).status_code == 204
    assert client.get("/auth/me", headers=bearer(one)).status_code == 401
    token = {"refresh_token": one.json()["refresh_token"]}
    assert client.post("/auth/refresh", json=token).status_code == 401
    assert client.get("/auth/me", headers=bearer(other)).status_code == 200


def test_a_new_password_ends_the_other_logins(client: TestClient, name: str) -> None:
    one, other = log_in(client, name), log_in(client, name)
    body = {"old": PASSWORD, "new": OTHER}
    assert client.post("/auth/password", json=body, headers=bearer(one)).status_code == 204
    assert client.get("/auth/me", headers=bearer(one)).status_code == 200
    assert client.get("/auth/me", headers=bearer(other)).status_code == 401
    assert log_in(client, name).status_code == 401
    assert log_in(client, name, OTHER).status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [(OTHER, OTHER, 401), (PASSWORD, "short", 422), (PASSWORD, "password1234", 422)],
)
def test_a_new_password_wants_the_old_one_and_is_a_good_one(
    client: TestClient, name: str, old: str, new: str, status: int
) -> None:
    answer = client.post(
        "/auth/password", json={"old": old, "new": new}, headers=bearer(log_in(client, name))
    )
    assert answer.status_code == status
    assert log_in(client, name).status_code == 200


def test_keys_have_no_password(client: TestClient, people: People) -> None:
    made = people("admin").post("/keys", json={"name": "n", "scopes": ["*"]}).json()
    body = {"old": PASSWORD, "new": OTHER}
    key = {"X-API-Key": made["key"]}
    assert client.post("/auth/password", json=body, headers=key).status_code == 422
    assert client.post("/auth/logout", headers=key).status_code == 204
    assert client.get("/auth/me", headers=key).status_code == 200


def test_cookies_carry_a_login_that_scripts_cannot_read(client: TestClient, name: str) -> None:
    answer = log_in(client, name, keep="cookie")
    assert answer.json()["access_token"] is answer.json()["refresh_token"] is None
    set_ = {one.split("=")[0]: one.lower() for one in answer.headers.get_list("Set-Cookie")}
    assert "httponly" in set_["waferscope_access"]
    assert "samesite=lax" in set_["waferscope_access"]
    assert "httponly" in set_["waferscope_refresh"]
    assert "samesite=strict" in set_["waferscope_refresh"]
    assert "path=/api/v1/auth" in set_["waferscope_refresh"]
    assert "httponly" not in set_["waferscope_csrf"]
    assert client.get("/auth/me").json()["via"] == "cookie"


def test_changes_by_cookie_want_the_token_of_the_same_login(client: TestClient, name: str) -> None:
    strange = log_in(client, name).json()["csrf_token"]
    own = log_in(client, name, keep="cookie").json()["csrf_token"]
    for given, status in ((None, 403), ("nonsense", 403), (strange, 403), (own, 204)):
        headers = {} if given is None else {"X-CSRF-Token": given}
        assert client.post("/auth/logout", headers=headers).status_code == status
    assert client.get("/auth/me").status_code == 401


def test_a_logout_goes_by_the_refresh_cookie_once_the_access_has_run_out(
    client: TestClient, name: str, house: Parts
) -> None:
    strange = log_in(client, name).json()["csrf_token"]
    own = log_in(client, name, keep="cookie").json()["csrf_token"]
    client.cookies.delete("waferscope_access")
    refresh = client.cookies["waferscope_refresh"]
    for given in (None, "nonsense", strange):
        headers = {} if given is None else {"X-CSRF-Token": given}
        assert client.post("/auth/logout", headers=headers).status_code == 403
    out = client.post("/auth/logout", headers={"X-CSRF-Token": own})
    assert out.status_code == 204
    assert len(out.headers.get_list("Set-Cookie")) == 3
    assert dict(client.cookies) == {}
    assert actions(house)[-1] == "auth.logout"
    again = client.post("/auth/refresh", json={"refresh_token": refresh})
    assert again.status_code == 401
    assert client.post("/auth/logout").status_code == 401  # nothing is left to end or to clear


def test_cookies_that_are_good_for_nothing_are_cleared(
    client: TestClient, name: str, house: Parts
) -> None:
    log_in(client, name, keep="cookie")
    with house.records.writing() as session:
        session.execute(update(Sitting).values(revoked_at=now()))
    assert client.post("/auth/logout", headers={"X-API-Key": "wsk_guess"}).status_code == 401
    assert client.post("/auth/logout").status_code == 204
    assert dict(client.cookies) == {}
    assert "auth.logout" not in actions(house)


def test_a_cookie_is_refreshed_with_its_token_only(client: TestClient, name: str) -> None:
    csrf = log_in(client, name, keep="cookie").json()["csrf_token"]
    before = client.cookies["waferscope_refresh"]
    assert client.post("/auth/refresh", json={}).status_code == 403
    renewed = client.post("/auth/refresh", json={}, headers={"X-CSRF-Token": csrf})
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] is None
    assert client.cookies["waferscope_refresh"] != before


def test_a_bearer_goes_before_a_cookie(client: TestClient, name: str, people: People) -> None:
    log_in(client, name, keep="cookie")
    me = client.get("/auth/me", headers={"Authorization": "Bearer nonsense"})
    assert me.status_code == 401


class TestOverHttps:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"cookie_secure": True})

    def test_cookies_are_for_https_alone(self, client: TestClient, name: str) -> None:
        answer = log_in(client, name, keep="cookie")
        assert all("secure" in one.lower() for one in answer.headers.get_list("Set-Cookie"))
        assert "Strict-Transport-Security" in answer.headers


class TestOften:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        often = {"rate_login": "3/minute", "rate_address": "2/minute", "rate_identity": "4/minute"}
        return settings.model_copy(update=often)

    def test_logins_are_counted_by_address(self, client: TestClient, name: str) -> None:
        statuses = [log_in(client, name).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]

    def test_requests_are_counted_by_user(self, client: TestClient, people: People) -> None:
        one, other = people("viewer"), people("viewer")
        answers = [one.get("/auth/me") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert other.get("/auth/me").status_code == 200
        assert 'waferscope_refusals_total{limit="identity"} 1.0' in client.get("/metrics").text

    def test_guesses_are_counted_by_address(self, client: TestClient) -> None:
        guess = {"X-API-Key": "wsk_guess"}
        statuses = [client.get("/auth/me", headers=guess).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/v1/openapi.json", 200),
            ("GET", "/docs", 200),
            ("GET", "/nothing/here", 404),
            ("GET", "/api/v1/nothing", 404),
            ("PUT", "/api/v1/auth/login", 405),
        ],
    )
    def test_what_no_route_guards_is_counted_by_address(
        self, client: TestClient, method: str, path: str, status: int
    ) -> None:
        url = client.base_url.copy_with(path=path)
        answers = [client.request(method, url) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 429]
        assert answers[-1].headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[-1].headers["X-Content-Type-Options"] == "nosniff"

    def test_all_logins_of_a_user_are_counted_together(self, client: TestClient, name: str) -> None:
        logins = [bearer(log_in(client, name)) for _ in range(3)]
        asked = [client.get("/auth/me", headers=logins[i % 3]).status_code for i in range(5)]
        assert asked == [200] * 4 + [429]

    def test_keys_are_counted_by_themselves(self, client: TestClient, people: People) -> None:
        admin = people("admin")
        made = [admin.post("/keys", json={"name": "n", "scopes": ["*"]}).json() for _ in range(2)]
        for key in ({"X-API-Key": one["key"]} for one in made):
            asked = [client.get("/auth/me", headers=key).status_code for _ in range(5)]
            assert asked == [200] * 4 + [429]
