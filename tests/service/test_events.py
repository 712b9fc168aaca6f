"""Events: to those who want them, with what happened or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from waferscope.service import events
from waferscope.service.parts import Parts
from waferscope.service.tables import Batch, Delivery, User, Webhook


def add_webhooks(house: Parts) -> None:
    person = add_person(house, "engineer")
    wants = {
        "hook_1": (["batch.done"], True),
        "hook_2": (["batch.done", "severity.alert"], True),
        "hook_3": (["batch.done"], False),
    }
    with house.records.writing() as session:
        for key, (names, active) in wants.items():
            hook = Webhook(id=key, user_id=person.id, url="http://x/", events=names, salt="s")
            hook.active = active
            session.add(hook)


def deliveries(house: Parts) -> list[tuple[str, str, str]]:
    with house.records.reading() as session:
        found = session.scalars(select(Delivery).order_by(Delivery.webhook_id))
        return [(one.webhook_id, one.event, one.state) for one in found]


def test_each_active_webhook_that_wants_it_is_told(house: Parts) -> None:
    add_webhooks(house)
    with house.records.writing() as session:
        assert events.announce(session, house.queue, "batch.done", {"batch_id": "b"}) == 2
    assert deliveries(house) == [
        ("hook_1", "batch.done", "waiting"),
        ("hook_2", "batch.done", "waiting"),
    ]


def test_what_did_not_happen_is_not_told(house: Parts) -> None:
    add_webhooks(house)

    def fail() -> None:
        with house.records.writing() as session:
            events.announce(session, house.queue, "batch.done", {})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert deliveries(house) == []


def add_webhook(house: Parts, role: str, **more: object) -> str:
    """Add a person with a webhook for everything; return the person's id."""
    person = add_person(house, role, **more)
    names = ["batch.done", "severity.alert"]
    key = f"hook_{person.name}"
    with house.records.writing() as session:
        session.add(Webhook(id=key, user_id=person.id, url="http://x/", events=names, salt="s"))
    return person.id


def told(house: Parts, event: str, payload: dict[str, object]) -> set[str]:
    """The ids of those whose webhooks are told of an event."""
    with house.records.writing() as session:
        events.announce(session, house.queue, event, payload)
        whose = select(User.id).join(Webhook).join(Delivery, Delivery.webhook_id == Webhook.id)
        return set(session.scalars(whose.where(Delivery.event == event)))


def test_who_may_have_no_webhook_any_more_is_not_told(house: Parts) -> None:
    engineer, admin = add_webhook(house, "engineer"), add_webhook(house, "admin")
    add_webhook(house, "annotator")
    add_webhook(house, "admin", active=False)
    assert told(house, "severity.alert", {}) == {engineer, admin}


def test_of_a_batch_its_owner_and_admins_are_told(house: Parts) -> None:
    owner, admin = add_webhook(house, "engineer"), add_webhook(house, "admin")
    add_webhook(house, "engineer")
    with house.records.writing() as session:
        session.add(Batch(id="bat_1", user_id=owner, request={}, results={}))
    assert told(house, "batch.done", {"batch_id": "bat_1"}) == {owner, admin}
