"""The audit trail: every change is in it, with its request; nothing takes it back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import exc, text

from tests.service.conftest import People
from waferscope.service.parts import Parts


def entries(people: People, **wanted: str) -> list[dict[str, Any]]:
    answer = people("admin").get("/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_what_was_done_is_there_with_its_request(people: People) -> None:
    admin = people("admin")
    made = admin.post("/users", json={"name": "ada"}, headers={"X-Request-ID": "order-1"}).json()
    (entry,) = entries(people, action="users.create")
    assert entry["target"] == made["id"]
    assert entry["request_id"] == "order-1"
    assert entry["actor"].startswith("admin-")
    assert entry["via"].startswith("token:sit_")
    assert entry["detail"] == {"name": "ada", "role": "viewer"}
    assert made["one_time_password"] not in str(entry)


def test_what_was_refused_is_not_there(people: People) -> None:
    admin = people("admin")
    admin.post("/users", json={"name": "ada"})
    admin.post("/users", json={"name": "ada"})
    assert len(entries(people, action="users.create")) == 1


def test_it_is_filtered_by_what_who_and_when(people: People) -> None:
    admin = people("admin")
    made = admin.post("/users", json={"name": "ada"}).json()
    admin.patch(f"/users/{made['id']}", json={"role": "engineer"})
    own = admin.get("/auth/me").json()["id"]
    actions = [entry["action"] for entry in entries(people, target=made["id"])]
    assert actions == ["users.change", "users.create"]
    assert {entry["actor_id"] for entry in entries(people, actor_id=own)} == {own}
    assert entries(people, since="2100-01-01T00:00:00Z") == []
    assert entries(people, until="2000-01-01T00:00:00Z") == []
    assert entries(people, since="2024-01-01") == entries(people, since="2024-01-01T00:00Z") != []
    assert people("admin").get("/audit", params={"since": "2024"}).status_code == 422


def test_a_cursor_of_another_list_is_refused(people: People) -> None:
    admin = people("admin")
    for number in range(2):
        admin.post("/users", json={"name": f"user-{number}"})
    cursor = admin.get("/users", params={"limit": 1}).json()["next"]
    assert admin.get("/audit", params={"cursor": cursor}).status_code == 422
    assert admin.get("/audit", params={"cursor": "nonsense"}).status_code == 422


@pytest.mark.parametrize("role", ["viewer", "annotator", "engineer"])
def test_it_is_for_admins(people: People, role: str) -> None:
    assert people(role).get("/audit").status_code == 403


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_the_database_itself_refuses_changes(people: People, house: Parts, change: str) -> None:
    people("admin").post("/users", json={"name": "ada"})
    with (
        pytest.raises(exc.DBAPIError, match="cannot be changed"),
        house.records.engine.begin() as c,
    ):
        c.execute(text(change))
    assert len(entries(people)) == 1
