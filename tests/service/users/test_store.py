"""The SQL of users."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from waferscope.errors import ConflictError, NotFoundError
from waferscope.service.parts import Parts
from waferscope.service.tables import Sitting, User
from waferscope.service.users import store


def test_a_name_is_there_once(house: Parts) -> None:
    def add() -> None:
        with house.records.writing() as session:
            store.add_user(session, User(name="ada", role="viewer"))

    add()
    with pytest.raises(ConflictError, match="'ada'"):
        add()


def test_other_admins_are_those_who_may_act(house: Parts) -> None:
    one = add_person(house, "admin")
    add_person(house, "admin", active=False)
    add_person(house, "engineer")
    with house.records.writing() as session:
        assert store.other_admins(session, one.id) == 0
        assert store.other_admins(session, "usr_none") == 1


def test_all_sittings_of_one_user_end(house: Parts) -> None:
    one, other = add_person(house, "viewer"), add_person(house, "viewer")
    with house.records.writing() as session:
        store.end_sittings(session, one.id, "closed")
    with house.records.reading() as session:
        ended = session.scalars(select(Sitting.id).where(Sitting.revoked_at.is_not(None))).all()
        assert list(ended) == [one.sitting_id]
        assert session.get_one(Sitting, other.sitting_id).revoked_why is None


def test_a_user_who_is_not_there_is_not_found(house: Parts) -> None:
    with house.records.reading() as session, pytest.raises(NotFoundError, match="usr_none"):
        store.get_user(session, "usr_none")
