"""Causes: who may write, change and remove them, and what the trail keeps."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer
from waferscope.service.parts import Parts
from waferscope.service.tables import Wafer
from waferscope.service.tables.row import now

BEAD = {"label": "Edge-Ring", "cause": "edge bead on track 3", "note": "EBR nozzle was clogged."}


@pytest.fixture
def wafer(house: Parts) -> str:
    return add_wafer(house, add_person(house, "annotator").id)


def write(client: TestClient, wafer: str, **more: str) -> dict[str, Any]:
    answer = client.post("/causes", json={"wafer_id": wafer, **BEAD, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_what_is_written_is_read_by_everybody(people: People, wafer: str) -> None:
    annotator, viewer = people("annotator"), people("viewer")
    made = write(annotator, wafer)
    assert made | BEAD == made
    assert made["user_id"] == annotator.get("/auth/me").json()["id"]
    assert viewer.get(f"/causes/{made['id']}").json() == made
    assert viewer.get("/causes").json() == {"items": [made], "next": None}


def test_a_viewer_writes_nothing(people: People, wafer: str) -> None:
    made = write(people("annotator"), wafer)
    viewer = people("viewer")
    assert viewer.post("/causes", json={"wafer_id": wafer, **BEAD}).status_code == 403
    assert viewer.patch(f"/causes/{made['id']}", json={"note": ""}).status_code == 403
    assert viewer.delete(f"/causes/{made['id']}").status_code == 403


@pytest.mark.parametrize("role", ["annotator", "engineer", "admin"])
def test_only_its_author_changes_a_cause(people: People, wafer: str, role: str) -> None:
    author = people("annotator")
    made = write(author, wafer)
    assert people(role).patch(f"/causes/{made['id']}", json={"note": "mine"}).status_code == 403
    changed = author.patch(f"/causes/{made['id']}", json={"note": "", "label": None})
    assert changed.status_code == 200, changed.text
    assert changed.json() | {"updated_at": ""} == made | {"note": "", "updated_at": ""}
    assert changed.json()["updated_at"] > made["updated_at"]


@pytest.mark.parametrize(
    ("role", "status"), [("annotator", 403), ("engineer", 403), ("admin", 204)]
)
def test_its_author_or_an_admin_removes_a_cause(
    people: People, wafer: str, role: str, status: int
) -> None:
    author = people("annotator")
    made = write(author, wafer)
    assert people(role).delete(f"/causes/{made['id']}").status_code == status
    left = 404 if status == 204 else 204
    assert author.delete(f"/causes/{made['id']}").status_code == left


def test_filters_agree_together_and_pages_follow(people: People, house: Parts, wafer: str) -> None:
    author, other = people("annotator"), people("engineer")
    elsewhere = add_wafer(house, author.get("/auth/me").json()["id"], name="W02")
    ids = [write(author, wafer)["id"], write(author, wafer, label="Scratch", cause="A 100% robot")]
    far = write(other, elsewhere, cause="under_etch")
    found = author.get("/causes", params={"wafer_id": wafer, "label": "Scratch"}).json()["items"]
    assert found == [ids[1]]
    assert author.get("/causes", params={"user_id": far["user_id"]}).json()["items"] == [far]
    for text, hits in (("EDGE BEAD", 1), ("100%", 1), ("_", 1), ("%", 1), ("nothing", 0)):
        assert len(author.get("/causes", params={"text": text}).json()["items"]) == hits, text
    page = author.get("/causes", params={"limit": 2}).json()
    rest = author.get("/causes", params={"limit": 2, "cursor": page["next"]}).json()
    assert [one["id"] for one in page["items"] + rest["items"]] == [
        far["id"],
        ids[1]["id"],
        ids[0],
    ]
    assert rest["next"] is None


def test_the_causes_of_a_deleted_wafer_are_gone_with_it(
    people: People, house: Parts, wafer: str
) -> None:
    author = people("annotator")
    made = write(author, wafer)
    with house.records.writing() as session:
        session.get_one(Wafer, wafer).deleted_at = now()
    assert author.get(f"/causes/{made['id']}").status_code == 404
    assert author.get("/causes").json()["items"] == []
    assert author.post("/causes", json={"wafer_id": wafer, **BEAD}).status_code == 404


def test_every_change_is_in_the_trail(people: People, wafer: str) -> None:
    author, admin = people("annotator"), people("admin")
    made = write(author, wafer)
    author.patch(f"/causes/{made['id']}", json={"cause": "chuck"})
    author.delete(f"/causes/{made['id']}")
    trail = admin.get("/audit", params={"target": made["id"]}).json()["items"]
    assert [one["action"] for one in trail] == ["causes.delete", "causes.change", "causes.create"]
    assert trail[1]["detail"] == {
        "before": {"cause": BEAD["cause"]},
        "after": {"cause": "chuck"},
    }


def test_a_repeated_call_writes_one_cause(people: People, wafer: str) -> None:
    author = people("annotator")
    for _ in range(2):
        answer = author.post(
            "/causes", json={"wafer_id": wafer, **BEAD}, headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == 201
    assert len(author.get("/causes").json()["items"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"cause": ""}, {"cause": "x" * 201}, {"note": "x" * 10_001}, {"severity": 3}, {"label": 4}],
    ids=str,
)
def test_what_is_not_a_cause_is_refused(
    people: People, wafer: str, wrong: dict[str, object]
) -> None:
    answer = people("annotator").post("/causes", json={"wafer_id": wafer, **BEAD, **wrong})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_unknown_wafer_is_not_found(people: People) -> None:
    answer = people("annotator").post("/causes", json={"wafer_id": "waf_0", **BEAD})
    assert answer.status_code == 404
    assert "Expected the id of a wafer" in answer.json()["detail"]
