"""Managing people: who may, what is answered, what ends."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from tests.service.conftest import PASSWORD, People
from waferscope.service.parts import Parts
from waferscope.service.tables import IdempotencyKey


def login(client: TestClient, name: str, password: str) -> dict[str, object]:
    answer = client.post("/auth/login", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def test_a_new_user_has_a_one_time_password_that_must_be_changed(
    client: TestClient, people: People
) -> None:
    admin = people("admin")
    made = admin.post("/users", json={"name": "Ada", "role": "engineer"})
    assert made.status_code == 201, made.text
    once = made.json()["one_time_password"]
    tokens = login(client, "ada", once)
    assert tokens["must_change_password"] is True
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert client.get("/users", headers=bearer).status_code == 403
    changed = client.post("/auth/password", json={"old": once, "new": PASSWORD}, headers=bearer)
    assert changed.status_code == 204, changed.text
    assert login(client, "ADA", PASSWORD)["must_change_password"] is False


def test_a_name_is_taken_once(people: People) -> None:
    admin = people("admin")
    assert admin.post("/users", json={"name": "ada"}).status_code == 201
    clash = admin.post("/users", json={"name": "ADA"})
    assert clash.status_code == 409
    assert clash.headers["Content-Type"] == "application/problem+json"
    assert clash.json()["type"] == "urn:waferscope:error:ConflictError"


@pytest.mark.parametrize("role", ["viewer", "annotator", "engineer"])
def test_only_admins_manage_people(people: People, role: str) -> None:
    one = people(role)
    assert one.get("/users").status_code == 403
    assert one.post("/users", json={"name": "eve", "role": "admin"}).status_code == 403


def test_the_list_is_cut_into_pages_newest_first(people: People) -> None:
    admin = people("admin")
    for number in range(5):
        admin.post("/users", json={"name": f"user-{number}"})
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = admin.get("/users", params={"limit": 2, "cursor": cursor}).json()
        seen += [user["name"] for user in page["items"]]
        cursor = page["next"]
    assert seen[:5] == [f"user-{number}" for number in range(4, -1, -1)]
    assert len(seen) == len(set(seen)) == 6


def test_a_closed_account_is_out_at_once(client: TestClient, people: People) -> None:
    admin = people("admin")
    made = admin.post("/users", json={"name": "ada", "password": PASSWORD}).json()
    bearer = {"Authorization": f"Bearer {login(client, 'ada', PASSWORD)['access_token']}"}
    assert client.get("/auth/me", headers=bearer).status_code == 200
    assert admin.patch(f"/users/{made['id']}", json={"active": False}).status_code == 200
    assert client.get("/auth/me", headers=bearer).status_code == 401
    refused = client.post("/auth/login", json={"name": "ada", "password": PASSWORD})
    assert refused.status_code == 401


def test_the_last_admin_stays(people: People) -> None:
    admin = people("admin")
    own = admin.get("/auth/me").json()["id"]
    assert admin.patch(f"/users/{own}", json={"role": "viewer"}).status_code == 409
    other = people("admin")
    assert other.patch(f"/users/{own}", json={"role": "viewer"}).status_code == 200
    assert admin.get("/users").status_code == 403  # at once, whatever the token says


def test_a_repeated_call_under_one_key_gets_the_first_answer(people: People) -> None:
    admin = people("admin")
    key = {"Idempotency-Key": "order-7"}
    first = admin.post("/users", json={"name": "ada"}, headers=key)
    again = admin.post("/users", json={"name": "ada"}, headers=key)
    assert again.status_code == 201
    assert again.json() == {**first.json(), "one_time_password": None}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert admin.post("/users", json={"name": "bob"}, headers=key).status_code == 409


def test_a_reset_unlocks_the_name(client: TestClient, people: People) -> None:
    admin = people("admin")
    made = admin.post("/users", json={"name": "Ada", "password": PASSWORD}).json()
    wrong = {"name": "ada", "password": "not-the-right-one"}
    statuses = [client.post("/auth/login", json=wrong).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    once = admin.post(f"/users/{made['id']}/password").json()["one_time_password"]
    assert login(client, "ada", once)["must_change_password"] is True


def test_a_reset_repeated_under_one_key_makes_one_password_that_is_kept_nowhere(
    client: TestClient, people: People, house: Parts
) -> None:
    admin = people("admin")
    made = admin.post("/users", json={"name": "ada"}).json()
    path, key = f"/users/{made['id']}/password", {"Idempotency-Key": "k"}
    first, again = (admin.post(path, headers=key) for _ in range(2))
    once = first.json()["one_time_password"]
    assert again.status_code == first.status_code == 200
    assert again.json() == {**first.json(), "one_time_password": None}
    with house.records.reading() as session:
        kept = session.scalars(select(IdempotencyKey.body)).one()
    assert made["id"] in kept
    assert once not in kept
    assert login(client, "ada", once)["must_change_password"] is True
