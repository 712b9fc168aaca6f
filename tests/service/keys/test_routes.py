"""API keys: made once, scoped, expiring, revoked, and never more than their owner."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from tests.service.conftest import People, add_person
from waferscope.service.parts import Parts
from waferscope.service.tables import ApiKey, User
from waferscope.service.tables.row import now


def make(people: People, **more: object) -> dict[str, str]:
    body = {"name": "tester 7", "scopes": ["*"], "role": "admin", **more}
    answer = people("admin").post("/keys", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def test_a_key_opens_by_either_header(client: TestClient, people: People) -> None:
    key = make(people)["key"]
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        me = client.get("/auth/me", headers=headers)
        assert me.status_code == 200
        assert me.json()["via"] == "key"
    assert client.get("/auth/me", headers={"X-API-Key": key + "x"}).status_code == 401


def test_the_secret_is_shown_once(people: People) -> None:
    admin = people("admin")
    once = {"Idempotency-Key": "k"}
    body = {"name": "n", "scopes": ["wafers"]}
    made = admin.post("/keys", json=body, headers=once).json()
    assert made["key"].endswith(made["hint"])
    shown = admin.get(f"/keys/{made['id']}").json()
    assert "key" not in shown
    assert admin.get("/keys").json()["items"] == [shown]
    again = admin.post("/keys", json=body, headers=once).json()
    assert (again["id"], again["key"]) == (made["id"], None)


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["users"], "GET", "/users", 200),
        (["users:read"], "GET", "/users", 200),
        (["*:read"], "GET", "/users", 200),
        (["keys"], "GET", "/users", 403),
        (["users:read"], "POST", "/users", 403),
        (["*"], "POST", "/users", 201),
    ],
)
def test_scopes_cover_nouns(
    client: TestClient, people: People, scopes: list[str], method: str, path: str, status: int
) -> None:
    key = make(people, scopes=scopes)["key"]
    body = {"name": "new-user"} if method == "POST" else None
    assert client.request(method, path, json=body, headers={"X-API-Key": key}).status_code == status


def test_a_revoked_key_is_refused(client: TestClient, people: People) -> None:
    made = make(people)
    admin = people("admin")
    assert admin.delete(f"/keys/{made['id']}").status_code == 204
    assert admin.delete(f"/keys/{made['id']}").status_code == 204
    assert client.get("/auth/me", headers={"X-API-Key": made["key"]}).status_code == 401
    assert admin.get(f"/keys/{made['id']}").json()["revoked_at"] is not None


def test_an_expired_key_is_refused(client: TestClient, people: People, house: Parts) -> None:
    made = make(people)
    with house.records.writing() as session:
        session.execute(update(ApiKey).values(expires_at=now() - timedelta(seconds=1)))
    assert client.get("/auth/me", headers={"X-API-Key": made["key"]}).status_code == 401


def test_the_last_use_is_noted(client: TestClient, people: People) -> None:
    made = make(people)
    assert people("admin").get(f"/keys/{made['id']}").json()["used_at"] is None
    client.get("/auth/me", headers={"X-API-Key": made["key"]})
    assert people("admin").get(f"/keys/{made['id']}").json()["used_at"] is not None


def test_a_key_never_has_more_than_its_owner(people: People, house: Parts) -> None:
    owner = add_person(house, "annotator")
    body = {"name": "n", "scopes": ["*"], "role": "engineer", "user_id": owner.id}
    assert people("admin").post("/keys", json=body).status_code == 422


def test_a_key_loses_with_its_owner(client: TestClient, people: People, house: Parts) -> None:
    owner = add_person(house, "admin")
    key = {"X-API-Key": make(people, user_id=owner.id)["key"]}
    assert client.get("/users", headers=key).status_code == 200
    with house.records.writing() as session:
        session.execute(update(User).where(User.id == owner.id).values(role="viewer"))
    assert client.get("/users", headers=key).status_code == 403
    with house.records.writing() as session:
        session.execute(update(User).where(User.id == owner.id).values(active=False))
    assert client.get("/users", headers=key).status_code == 401


def test_lists_may_be_those_of_one_user(people: People, house: Parts) -> None:
    owner = add_person(house, "annotator")
    make(people)
    mine = make(people, user_id=owner.id, role="viewer")
    listed = people("admin").get("/keys", params={"user_id": owner.id}).json()["items"]
    assert [key["id"] for key in listed] == [mine["id"]]


@pytest.mark.parametrize("body", [{"scopes": []}, {"scopes": ["a b"]}, {"days": 0}, {"nope": 1}])
def test_what_makes_no_sense_is_refused(people: People, body: dict[str, object]) -> None:
    whole = {"name": "n", "scopes": ["*"], **body}
    answer = people("admin").post("/keys", json=whole)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"][0] == "body"


def test_what_is_not_there_is_not_found(people: People) -> None:
    admin = people("admin")
    assert admin.get("/keys/key_none").status_code == 404
    assert admin.delete("/keys/key_none").status_code == 404
    body = {"name": "n", "scopes": ["*"], "user_id": "usr_none"}
    assert admin.post("/keys", json=body).status_code == 404
