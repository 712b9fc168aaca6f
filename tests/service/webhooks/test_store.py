"""The SQL of webhooks: attempts are noted, and what is over stays over."""

from __future__ import annotations

import pytest

from tests.service.conftest import add_person
from waferscope.errors import NotFoundError
from waferscope.service.parts import Parts
from waferscope.service.store import add_delivery
from waferscope.service.tables import Delivery, User, Webhook
from waferscope.service.webhooks import store


@pytest.fixture
def delivery(house: Parts) -> str:
    """The id of a delivery that waits."""
    person = add_person(house, "engineer")
    hook = Webhook(user_id=person.id, url="http://x/", events=["ping"], salt="s")
    with house.records.writing() as session:
        store.add_webhook(session, hook)
        return add_delivery(session, hook.id, "ping", {}).id


def test_an_attempt_noted_twice_is_one(house: Parts, delivery: str) -> None:
    with house.records.writing() as session:
        for attempt in (1, 2, 2, 1):
            store.note_attempt(session, delivery, attempt, 500, "x" * 300)
    with house.records.reading() as session:
        left = session.get_one(Delivery, delivery)
        assert (left.attempts, left.last_status, len(left.last_error)) == (2, 500, 200)


def test_what_is_over_says_when(house: Parts, delivery: str) -> None:
    with house.records.writing() as session:
        store.finish(session, delivery, "failed")
    with house.records.reading() as session:
        found = store.get_delivery(session, delivery)
    assert found is not None
    assert found[0].state == "failed"
    assert found[0].finished_at is not None


def test_what_was_deleted_meanwhile_is_no_obstacle(house: Parts) -> None:
    with house.records.writing() as session:
        store.note_attempt(session, "dlv_none", 1, None, "")
        store.finish(session, "dlv_none", "failed")
        assert store.get_delivery(session, "dlv_none") is None
        with pytest.raises(NotFoundError):
            store.get_webhook(session, "hook_none", None)


@pytest.mark.parametrize(
    ("active", "role", "may"),
    [
        (True, "engineer", True),
        (True, "admin", True),
        (True, "annotator", False),
        (False, "admin", False),
    ],
)
def test_an_owner_may_know_as_long_as_webhooks_are_theirs(
    house: Parts, delivery: str, active: bool, role: str, may: bool
) -> None:
    with house.records.writing() as session:
        owner = session.query(User).one()
        owner.active, owner.role = active, role
    with house.records.reading() as session:
        found = store.get_delivery(session, delivery)
        assert found is not None
        assert store.may_have(session, found[1], found[0]) == may
