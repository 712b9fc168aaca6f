"""Webhooks: whose they are, where they may go, and what is told of them."""

from __future__ import annotations

import pytest

from tests.service.conftest import People
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import Webhook
from waferscope.service.webhooks.signing import secret_of

BODY = {"url": "http://hooks.example/a", "events": ["batch.done", "ping", "ping"]}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": ("hooks.example",)})


def test_the_secret_is_shown_once_and_kept_nowhere(people: People, house: Parts) -> None:
    one = people("engineer")
    made = one.post("/webhooks", json=BODY, headers={"Idempotency-Key": "k"}).json()
    assert made["events"] == ["batch.done", "ping"]
    shown = one.get(f"/webhooks/{made['id']}").json()
    assert "secret" not in shown
    assert one.get("/webhooks").json()["items"] == [shown]
    again = one.post("/webhooks", json=BODY, headers={"Idempotency-Key": "k"}).json()
    assert (again["id"], again["secret"]) == (made["id"], None)
    with house.records.reading() as session:
        row = session.get_one(Webhook, made["id"])
    assert made["secret"] == secret_of(house.settings, row.id, row.salt)
    assert made["secret"] not in str(vars(row))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "http://evil.example/"}, 403),
        ({"url": "http://hooks.example:81/"}, 403),
        ({"url": "ftp://hooks.example/"}, 422),
        ({"events": ["wafer.born"]}, 422),
        ({"events": []}, 422),
    ],
)
def test_what_may_not_be_is_refused(people: People, change: dict[str, object], status: int) -> None:
    answer = people("engineer").post("/webhooks", json={**BODY, **change})
    assert answer.status_code == status


def test_those_of_others_are_not_found_but_by_admins(people: People) -> None:
    owner, other, admin = people("engineer"), people("engineer"), people("admin")
    key = owner.post("/webhooks", json=BODY).json()["id"]
    for path in (f"/webhooks/{key}", f"/webhooks/{key}/deliveries"):
        assert other.get(path).status_code == 404
        assert owner.get(path).status_code == admin.get(path).status_code == 200
    assert other.delete(f"/webhooks/{key}").status_code == 404
    assert other.post(f"/webhooks/{key}/ping").status_code == 404
    assert other.get("/webhooks").json()["items"] == []
    assert len(admin.get("/webhooks").json()["items"]) == 1


def test_a_ping_is_on_its_way(people: People) -> None:
    one = people("engineer")
    key = one.post("/webhooks", json=BODY).json()["id"]
    sent = one.post(f"/webhooks/{key}/ping")
    assert sent.status_code == 202
    (delivery,) = one.get(f"/webhooks/{key}/deliveries").json()["items"]
    assert delivery == sent.json()
    assert (delivery["event"], delivery["state"], delivery["attempts"]) == ("ping", "waiting", 0)


def test_a_ping_repeated_under_one_key_is_one_delivery(people: People) -> None:
    one = people("engineer")
    hook = one.post("/webhooks", json=BODY).json()["id"]
    path, key = f"/webhooks/{hook}/ping", {"Idempotency-Key": "k"}
    first, again = (one.post(path, headers=key) for _ in range(2))
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(one.get(f"/webhooks/{hook}/deliveries").json()["items"]) == 1
    one.post(path)
    assert len(one.get(f"/webhooks/{hook}/deliveries").json()["items"]) == 2


def test_a_deleted_one_is_gone_with_its_deliveries(people: People) -> None:
    one = people("engineer")
    key = one.post("/webhooks", json=BODY).json()["id"]
    one.post(f"/webhooks/{key}/ping")
    assert one.delete(f"/webhooks/{key}").status_code == 204
    assert one.get(f"/webhooks/{key}/deliveries").status_code == 404
