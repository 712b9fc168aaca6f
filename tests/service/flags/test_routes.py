"""Flags: an annotator's own ones, a reviewer's answers, and what nobody else may see."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People, add_person
from tests.service.made import add_prediction, add_wafer
from waferscope.service.parts import Parts
from waferscope.service.tables import Wafer
from waferscope.service.tables.row import now

WRONG = {"label": "Scratch", "note": "This is a row of probe marks."}


@pytest.fixture
def wafer(house: Parts) -> str:
    return add_wafer(house, add_person(house, "annotator").id, labels={"Scratch": "pattern"})


def flag(client: TestClient, wafer: str, **more: str) -> dict[str, Any]:
    answer = client.post("/flags", json={"wafer_id": wafer, **WRONG, **more})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_flag_is_on_the_last_prediction_unless_another_is_named(
    people: People, house: Parts, wafer: str
) -> None:
    annotator = people("annotator")
    with house.records.writing() as session:
        first = session.get_one(Wafer, wafer).prediction_id
        last = add_prediction(session, wafer, annotator.get("/auth/me").json()["id"], {})
    assert flag(annotator, wafer)["prediction_id"] == last
    assert flag(annotator, wafer, prediction_id=str(first))["prediction_id"] == first


def test_a_flag_needs_a_stored_prediction_of_its_wafer(
    people: People, house: Parts, wafer: str
) -> None:
    annotator = people("annotator")
    bare = add_wafer(house, annotator.get("/auth/me").json()["id"])
    assert annotator.post("/flags", json={"wafer_id": bare, **WRONG}).status_code == 404
    of_another = flag(annotator, wafer)["prediction_id"]
    body = {"wafer_id": bare, "prediction_id": of_another, **WRONG}
    answer = annotator.post("/flags", json=body)
    assert answer.status_code == 404
    assert "Predict the wafer first" in answer.json()["detail"]


def test_annotators_see_their_own_and_reviewers_see_all(people: People, wafer: str) -> None:
    mine, other = people("annotator"), people("annotator")
    made, theirs = flag(mine, wafer), flag(other, wafer)
    assert mine.get("/flags").json()["items"] == [made]
    assert mine.get(f"/flags/{made['id']}").json() == made
    assert mine.get(f"/flags/{theirs['id']}").status_code == 404
    assert mine.get("/flags", params={"user_id": theirs["user_id"]}).status_code == 403
    for role in ("engineer", "admin"):
        assert people(role).get("/flags").json()["items"] == [theirs, made]
        found = people(role).get("/flags", params={"user_id": made["user_id"]})
        assert found.json()["items"] == [made]
    for path in ("/flags", f"/flags/{made['id']}"):
        assert people("viewer").get(path).status_code == 403


def test_only_who_set_it_changes_or_withdraws_an_open_flag(people: People, wafer: str) -> None:
    mine, other, engineer = people("annotator"), people("annotator"), people("engineer")
    made = flag(mine, wafer)
    path = f"/flags/{made['id']}"
    assert mine.patch(path, json={"note": "Two rows."}).json() == made | {"note": "Two rows."}
    assert other.patch(path, json={"note": "no"}).status_code == 404  # as if it were not there
    assert other.delete(path).status_code == 404
    assert engineer.patch(path, json={"note": "no"}).status_code == 403
    assert engineer.delete(path).status_code == 403
    assert mine.delete(path).status_code == 204
    assert mine.get(path).status_code == 404


@pytest.mark.parametrize("resolution", ["confirmed", "dismissed"])
def test_a_reviewer_answers_once(people: People, wafer: str, resolution: str) -> None:
    mine, engineer = people("annotator"), people("engineer")
    made = flag(mine, wafer)
    path = f"/flags/{made['id']}"
    body = {"resolution": resolution, "answer": "Seen under the microscope."}
    assert mine.post(f"{path}/answer", json=body).status_code == 403
    answered = engineer.post(f"{path}/answer", json=body)
    assert answered.status_code == 200, answered.text
    assert (answered.json()["state"], answered.json()["answer"]) == (resolution, body["answer"])
    assert answered.json()["closed_by"] == engineer.get("/auth/me").json()["id"]
    assert mine.get(path).json() == answered.json()
    assert engineer.post(f"{path}/answer", json=body).status_code == 409
    assert mine.patch(path, json={"note": "But"}).status_code == 409
    assert mine.delete(path).status_code == 409


def test_the_list_is_filtered_and_paged(people: People, house: Parts, wafer: str) -> None:
    mine, engineer = people("annotator"), people("engineer")
    own = mine.get("/auth/me").json()["id"]
    elsewhere = add_wafer(house, own, labels={"Loc": "pattern"})
    made = [flag(mine, wafer), flag(mine, elsewhere, label="Loc"), flag(mine, wafer)]
    closing = {"resolution": "dismissed"}
    closed = engineer.post(f"/flags/{made[0]['id']}/answer", json=closing).json()
    for wanted, found in (
        ({"state": "open"}, [made[2], made[1]]),
        ({"state": "dismissed"}, [closed]),
        ({"state": "confirmed"}, []),
        ({"wafer_id": elsewhere}, [made[1]]),
        ({"label": "Scratch", "state": "open"}, [made[2]]),
    ):
        assert engineer.get("/flags", params=wanted).json()["items"] == found, wanted
    page = engineer.get("/flags", params={"limit": 2}).json()
    rest = engineer.get("/flags", params={"limit": 2, "cursor": page["next"]}).json()
    assert page["items"] + rest["items"] == [made[2], made[1], closed]
    assert engineer.get("/flags", params={"state": "lost"}).status_code == 422


def test_the_flags_of_a_deleted_wafer_are_gone_with_it(
    people: People, house: Parts, wafer: str
) -> None:
    engineer = people("engineer")
    made = flag(engineer, wafer)
    with house.records.writing() as session:
        session.get_one(Wafer, wafer).deleted_at = now()
    assert engineer.get(f"/flags/{made['id']}").status_code == 404
    assert engineer.get("/flags").json()["items"] == []


def test_every_change_is_in_the_trail(people: People, wafer: str) -> None:
    mine, engineer, admin = people("annotator"), people("engineer"), people("admin")
    made, other = flag(mine, wafer), flag(mine, wafer)
    mine.patch(f"/flags/{made['id']}", json={"note": "Two rows."})
    engineer.post(f"/flags/{made['id']}/answer", json={"resolution": "confirmed"})
    mine.delete(f"/flags/{other['id']}")
    trail = admin.get("/audit", params={"target": made["id"]}).json()["items"]
    assert [one["action"] for one in trail] == ["flags.answer", "flags.change", "flags.create"]
    gone = admin.get("/audit", params={"target": other["id"]}).json()["items"]
    assert [one["action"] for one in gone] == ["flags.withdraw", "flags.create"]


def test_a_flag_without_a_note_is_refused(people: People, wafer: str) -> None:
    annotator = people("annotator")
    assert annotator.post("/flags", json={"wafer_id": wafer, "note": ""}).status_code == 422
    assert annotator.post("/flags", json={"wafer_id": "waf_0", **WRONG}).status_code == 404
