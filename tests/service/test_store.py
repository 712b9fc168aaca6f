"""The SQL that every noun may use: audit, clashes, pages, milestones."""

from __future__ import annotations

import pytest
from sqlalchemy import exc, select

from waferscope.errors import ConflictError, InputError
from waferscope.service import store
from waferscope.service.auth.identity import SYSTEM, Identity
from waferscope.service.auth.roles import Role
from waferscope.service.db import Records
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.tables import AuditEntry, Batch, RefreshToken, Row, User
from waferscope.service.telemetry import start_request

ADA = Identity("usr_1", "ada", Role.ENGINEER, via="key_1", kind="key", address="10.0.0.7")


def test_an_entry_says_who_through_what_and_in_which_request(records: Records) -> None:
    start_request("order-1")
    with records.writing() as session:
        store.record(session, ADA, "wafers.delete", "waf_1", lot="A")
        store.record(session, SYSTEM, "retention.run", "x" * 500)
    with records.reading() as session:
        first, second = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    assert (first.actor_id, first.actor, first.via) == ("usr_1", "ada", "key:key_1")
    assert (first.action, first.target, first.detail) == ("wafers.delete", "waf_1", {"lot": "A"})
    assert (first.request_id, first.address) == ("order-1", "10.0.0.7")
    assert (second.actor, second.via, len(second.target)) == ("system", "system", 200)


def person(name: str) -> User:
    return User(id=new_id("usr"), name=name, role="viewer")


def add(records: Records, row: Row, clash: str) -> None:
    with records.writing() as session:
        session.add(row)
        store.keep(session, clash)


def test_a_clash_is_a_conflict(records: Records) -> None:
    add(records, person("ada"), "unused")
    with pytest.raises(ConflictError, match="taken"):
        add(records, person("ada"), "taken")


def test_a_row_that_refers_to_nothing_is_a_defect(records: Records) -> None:
    with pytest.raises(exc.IntegrityError):
        add(records, RefreshToken(digest="d", sitting_id="sit_none"), "not this")


def test_pages_go_on_after_what_was_seen(records: Records) -> None:
    with records.writing() as session:
        people = [person(f"p{number}") for number in range(5)]
        session.add_all(people)
    ids = sorted((one.id for one in people), reverse=True)
    with records.reading() as session:
        page = session.scalars(store.newest_first(select(User), User.id, Place(2))).all()
        assert [user.id for user in page] == ids[:3]
        query = store.newest_first(select(User), User.id, Place(9, (ids[1],)))
        assert [user.id for user in session.scalars(query)] == ids[2:]


@pytest.mark.parametrize("after", [(1,), ("a", "b"), (True,), (1.5,)])
def test_a_cursor_of_another_list_is_refused(after: tuple[object, ...]) -> None:
    with pytest.raises(InputError, match="cursor of this list"):
        store.newest_first(select(User), User.id, Place(2, after))


def test_a_milestone_is_reached_once(records: Records) -> None:
    for expected in (True, False, False):
        with records.writing() as session:
            assert store.reach(session, "demo") is expected


def test_a_fingerprint_tells_where_parts_end() -> None:
    assert store.fingerprint(b"ab", b"c") != store.fingerprint(b"a", b"bc")
    assert store.fingerprint(b"ab") == store.fingerprint(b"ab")
    assert len(store.fingerprint()) == 64


def test_of_a_batch_knows_whose_it_is_and_who_may_know_of_all(records: Records) -> None:
    roles = {"a": "engineer", "b": "engineer", "c": "admin", "d": "annotator", "e": "admin"}
    with records.writing() as session:
        for name, role in roles.items():
            session.add(User(id=name, name=name, role=role, active=name != "e"))
        session.flush()
        for name in "ad":
            session.add(Batch(id=f"bat_{name}", user_id=name, request={}, results={}))

    def knowing(payload: dict[str, object]) -> str:
        with records.reading() as session:
            return "".join(
                session.scalars(
                    select(User.id).where(store.may_know(session, payload)).order_by(User.id)
                )
            )

    assert knowing({}) == knowing({"wafer_map_id": "waf_1"}) == "abc"
    assert knowing({"batch_id": "bat_a"}) == "ac"
    assert knowing({"batch_id": "bat_d"}) == "c"
