"""People's tables: what goes with whom, and what stays."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, exc

from tests.service.conftest import add_person
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.parts import Parts
from waferscope.service.store import record
from waferscope.service.tables import AuditEntry, RefreshToken, Sitting, User


def test_tokens_go_with_their_sitting(house: Parts) -> None:
    person = add_person(house, "viewer")
    with house.records.writing() as session:
        session.add(RefreshToken(digest="d", sitting_id=person.sitting_id))
        session.flush()
        session.execute(delete(Sitting).where(Sitting.id == person.sitting_id))
        session.expire_all()
        assert session.get(RefreshToken, "d") is None


def test_a_user_with_sittings_stays(house: Parts) -> None:
    person = add_person(house, "viewer")

    def remove() -> None:
        with house.records.writing() as session:
            session.execute(delete(User).where(User.id == person.id))

    with pytest.raises(exc.IntegrityError):
        remove()


def test_entries_of_the_audit_are_numbered_in_order(house: Parts) -> None:
    with house.records.writing() as session:
        for number in range(3):
            record(session, SYSTEM, f"do.{number}")
    with house.records.reading() as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [entry.action for entry in entries] == ["do.0", "do.1", "do.2"]
