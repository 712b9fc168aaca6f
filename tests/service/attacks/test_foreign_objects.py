"""Objects of others (IDOR): ids can be guessed or overheard, and still open nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer
from tests.service.stored import make_wafer, store_wafers
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings

Make = Callable[[TestClient, str], str]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": ("hooks.example",)})


@pytest.fixture
def wafer(house: Parts) -> str:
    return add_wafer(house, add_person(house, "annotator").id, labels={"Loc": "pattern"})


def made(client: TestClient, path: str, **body: object) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code in {201, 202}, answer.text
    return str(answer.json()["id"])


def webhook(client: TestClient, _wafer: str) -> str:
    return made(client, "/webhooks", url="https://hooks.example/a", events=["batch.done"])


def flag(client: TestClient, wafer: str) -> str:
    return made(client, "/flags", wafer_id=wafer, note="no")


def cause(client: TestClient, wafer: str) -> str:
    return made(client, "/causes", wafer_id=wafer, cause="robot")


def batch(client: TestClient, wafer: str) -> str:
    return made(client, "/predict/batch", wafer_map_ids=[wafer])


ATTEMPTS: list[tuple[str, Make, str, str, str, int]] = [
    ("engineer", webhook, "GET", "/webhooks/{id}", "{}", 404),
    ("engineer", webhook, "DELETE", "/webhooks/{id}", "{}", 404),
    ("engineer", webhook, "GET", "/webhooks/{id}/deliveries", "{}", 404),
    ("engineer", webhook, "POST", "/webhooks/{id}/ping", "{}", 404),
    ("annotator", flag, "GET", "/flags/{id}", "{}", 404),
    ("annotator", flag, "PATCH", "/flags/{id}", '{"note": "x"}', 404),
    ("annotator", flag, "DELETE", "/flags/{id}", "{}", 404),
    ("annotator", flag, "POST", "/flags/{id}/answer", '{"resolution": "dismissed"}', 403),
    ("annotator", cause, "PATCH", "/causes/{id}", '{"note": "x"}', 403),
    ("annotator", cause, "DELETE", "/causes/{id}", "{}", 403),
    ("annotator", batch, "GET", "/predict/batch/{id}", "{}", 404),
    ("annotator", batch, "GET", "/predict/batch/{id}/wafers", "{}", 404),
    ("annotator", batch, "GET", "/predict/batch/{id}/results/csv", "{}", 404),
    ("annotator", batch, "POST", "/predict/batch/{id}/cancel", "{}", 404),
    ("annotator", batch, "DELETE", "/predict/batch/{id}", "{}", 404),
    ("engineer", batch, "GET", "/predict/batch/{id}", "{}", 404),
]


@pytest.mark.parametrize(
    ("role", "make", "verb", "path", "body", "status"),
    ATTEMPTS,
    ids=[f"{role} {verb} {path}" for role, _, verb, path, _, _ in ATTEMPTS],
)
def test_what_is_somebody_elses_is_out_of_reach(
    people: People,
    wafer: str,
    role: str,
    make: Make,
    verb: str,
    path: str,
    body: str,
    status: int,
) -> None:
    owner, thief = people(role), people(role)
    given = make(owner, wafer)
    address = path.format(id=given)
    before = owner.get(address.split("/" + given)[0] + "/" + given).json()
    headers = {"Content-Type": "application/json"}
    answer = thief.request(verb, address, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    nothing = thief.request(verb, path.format(id="nothing_0"), content=body, headers=headers)
    if status == 404:  # nor is it told that it is there
        assert answer.json()["detail"].replace(given, "") == nothing.json()["detail"].replace(
            "nothing_0", ""
        )
    assert owner.get(address.split("/" + given)[0] + "/" + given).json() == before


def test_lists_hold_ones_own_alone(people: People, wafer: str) -> None:
    for role, make, path in (
        ("engineer", webhook, "/webhooks"),
        ("annotator", flag, "/flags"),
        ("annotator", batch, "/predict/batch"),
    ):
        owner, thief = people(role), people(role)
        make(owner, wafer)
        assert len(owner.get(path).json()["items"]) == 1
        assert thief.get(path).json()["items"] == []


def test_a_prediction_of_another_wafer_cannot_be_flagged_as_ones_own(
    people: People, house: Parts, wafer: str
) -> None:
    one = people("annotator")
    other = add_wafer(house, add_person(house, "annotator").id, labels={"Loc": "pattern"})
    theirs = one.post("/flags", json={"wafer_id": other, "note": "no"}).json()["prediction_id"]
    body = {"wafer_id": wafer, "prediction_id": theirs, "note": "no"}
    assert one.post("/flags", json=body).status_code == 404


@pytest.mark.parametrize(
    "more", [{"user_id": "usr_0"}, {"id": "cause_0"}, {"created_at": "2020-01-01T00:00:00Z"}]
)
def test_fields_that_are_not_offered_cannot_be_set(
    people: People, wafer: str, more: dict[str, str]
) -> None:
    body = {"wafer_id": wafer, "cause": "robot", **more}
    assert people("annotator").post("/causes", json=body).status_code == 422


def test_nobody_gives_themselves_a_role(people: People) -> None:
    one = people("engineer")
    own = one.get("/auth/me").json()["id"]
    assert one.patch(f"/users/{own}", json={"role": "admin"}).status_code == 403
    assert one.post(f"/users/{own}/password").status_code == 403
    key = {"name": "mine", "role": "admin", "scopes": ["*"]}
    assert one.post("/keys", json=key).status_code == 403


def test_an_idempotency_key_of_somebody_else_gives_nothing_away(people: People, wafer: str) -> None:
    owner, thief = people("annotator"), people("annotator")
    body, key = {"wafer_id": wafer, "cause": "robot"}, {"Idempotency-Key": "1"}
    mine = owner.post("/causes", json=body, headers=key).json()
    theirs = thief.post("/causes", json=body, headers=key)
    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine["id"]
    assert "Idempotent-Replayed" not in theirs.headers


def test_a_deleted_wafer_is_gone_for_everything_that_names_it(people: People, house: Parts) -> None:
    admin, viewer = people("admin"), people("viewer")
    own = admin.get("/auth/me").json()["id"]
    (stored,) = store_wafers(house, own, [make_wafer(1)])
    assert admin.delete(f"/wafers/{stored}").status_code in {200, 204}
    for path in ("", "/dies", "/image.png", "/thumbnail.png", "/file"):
        assert viewer.get(f"/wafers/{stored}{path}").status_code == 404, path
    assert viewer.get("/similar", params={"wafer_id": stored}).status_code == 404
    assert viewer.post("/predict", json={"wafer_map_ids": [stored]}).status_code == 404
