"""Webhooks on their way: signed, tried again with growing waits, never where they may not go."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from sqlalchemy import update

from tests.service.conftest import add_person
from tests.service.jobs.conftest import eventually, working
from tests.service.receiver import Receiver, receiving
from waferscope.service import events
from waferscope.service.jobs import deliver, steps
from waferscope.service.jobs.deliver import ATTEMPTS, ask_again, post_delivery
from waferscope.service.parts import Parts
from waferscope.service.tables import Batch, Delivery, User, Webhook
from waferscope.service.webhooks.signing import secret_of


def allow(house: Parts, receiver: Receiver) -> Parts:
    open_to = house.settings.model_copy(update={"webhook_hosts": (receiver.host,)})
    return Parts(**{**vars(house), "settings": open_to})


def send(house: Parts, url: str, role: str = "engineer") -> tuple[str, Webhook]:
    """Announce an event to one new webhook; give the delivery's id."""
    person = add_person(house, role)
    hook = Webhook(
        id=f"hook_{person.name}", user_id=person.id, url=url, events=["batch.done"], salt="s"
    )
    with house.records.writing() as session:
        session.add(hook)
        session.flush()
        assert events.announce(session, house.queue, "batch.done", {"batch_id": "bat_1"}) == 1
        assert events.announce(session, house.queue, "severity.alert", {}) == 0
        found = session.query(Delivery).filter_by(webhook_id=hook.id).one()
    return found.id, hook


def delivery(house: Parts, key: str) -> Delivery:
    with house.records.reading() as session:
        return session.get_one(Delivery, key)


def test_a_worker_delivers_what_was_announced(house: Parts) -> None:
    with receiving() as receiver:
        house = allow(house, receiver)
        key, hook = send(house, receiver.url)
        with working(house):
            eventually(lambda: delivery(house, key).state == "delivered")
    ((headers, body),) = receiver.got
    assert json.loads(body) == {
        "id": key,
        "event": "batch.done",
        "payload": {"batch_id": "bat_1"},
    }
    message = headers["X-WaferScope-Timestamp"].encode() + b"." + body
    secret = secret_of(house.settings, hook.id, hook.salt).encode()
    right = "sha256=" + hmac.new(secret, message, hashlib.sha256).hexdigest()
    assert headers["X-WaferScope-Signature"] == right
    assert headers["X-WaferScope-Delivery"] == key


def test_it_is_tried_again_until_it_is_taken(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "wait_before", lambda attempt: 0.01)
    with receiving(lambda number: 500 if number < 2 else 200) as receiver:
        house = allow(house, receiver)
        key, _ = send(house, receiver.url)
        with working(house):
            eventually(lambda: delivery(house, key).state == "delivered")
    assert len(receiver.got) == 3
    assert delivery(house, key).attempts == 3


def test_the_last_attempt_gives_up(moved_in: Parts) -> None:
    with receiving(lambda number: 503) as receiver:
        house = allow(moved_in, receiver)
        steps.move_in(house)
        key, _ = send(house, receiver.url)
        assert post_delivery(key, 1) == "again"
        assert post_delivery(key, ATTEMPTS) == "failed"
        assert post_delivery(key, ATTEMPTS + 1) == "gone"
    left = delivery(house, key)
    assert (left.state, left.last_status, left.last_error) == ("failed", 503, "answered 503")


def test_a_webhook_that_is_gone_is_not_tried_again(moved_in: Parts) -> None:
    with receiving(lambda number: 410) as receiver:
        house = allow(moved_in, receiver)
        steps.move_in(house)
        key, _ = send(house, receiver.url)
        assert post_delivery(key, 1) == "failed"


def test_redirects_are_not_followed(moved_in: Parts) -> None:
    with receiving(lambda number: 302) as receiver:
        house = allow(moved_in, receiver)
        steps.move_in(house)
        key, _ = send(house, receiver.url)
        assert post_delivery(key, 1) == "again"
    assert len(receiver.got) == 1


def test_a_host_that_is_no_longer_allowed_gets_nothing(moved_in: Parts) -> None:
    with receiving() as receiver:
        key, _ = send(moved_in, receiver.url)
        assert post_delivery(key, 1) == "again"
    assert receiver.got == []
    assert "WAFERSCOPE_WEBHOOK_HOSTS" in delivery(moved_in, key).last_error


@pytest.mark.parametrize("change", [{"active": False}, {"role": "annotator"}])
def test_an_owner_who_may_not_know_any_more_gets_nothing(
    moved_in: Parts, change: dict[str, object]
) -> None:
    with receiving() as receiver:
        house = allow(moved_in, receiver)
        steps.move_in(house)
        key, hook = send(house, receiver.url)
        with house.records.writing() as session:
            session.execute(update(User).where(User.id == hook.user_id).values(**change))
        assert post_delivery(key, 1) == "failed"
        assert post_delivery(key, 2) == "gone"
    assert receiver.got == []
    left = delivery(house, key)
    assert (left.state, left.last_status) == ("failed", None)
    assert left.last_error == deliver.NOT_THEIRS


def test_who_is_no_admin_any_more_gets_nothing_of_the_batches_of_others(moved_in: Parts) -> None:
    owner = add_person(moved_in, "annotator")
    with receiving() as receiver:
        house = allow(moved_in, receiver)
        steps.move_in(house)
        with house.records.writing() as session:
            session.add(Batch(id="bat_1", user_id=owner.id, request={}, results={}))
        key, hook = send(house, receiver.url, "admin")
        with house.records.writing() as session:
            session.get_one(User, hook.user_id).role = "engineer"
        assert post_delivery(key, 1) == "failed"
    assert receiver.got == []


def test_a_host_that_does_not_answer_is_noted(moved_in: Parts) -> None:
    with receiving() as receiver:
        house = allow(moved_in, receiver)
    steps.move_in(house)
    key, _ = send(house, receiver.url)
    assert post_delivery(key, 1) == "again"
    assert "ConnectError" in delivery(house, key).last_error


def test_asking_twice_for_an_attempt_asks_once(moved_in: Parts) -> None:
    key, _ = send(moved_in, "http://nowhere/")
    assert ask_again(key, 2) == ask_again(key, 2)
    assert moved_in.queue.state(f"{key}-2") == "DELAYED"
