"""The SQL of reading the audit trail, against a plain filter of all entries."""

from __future__ import annotations

from typing import Any

import pytest

from waferscope.service.audit import store
from waferscope.service.audit.schemas import Wanted
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.roles import Role
from waferscope.service.db import Records
from waferscope.service.paging import Place
from waferscope.service.store import record


@pytest.fixture
def trail(records: Records) -> Records:
    with records.writing() as session:
        for number in range(12):
            who = Identity(f"usr_{number % 2}", "x", Role.ADMIN, via="", kind="token")
            record(session, who, f"do.{number % 3}", f"t{number % 4}")
    return records


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"actor_id": "usr_1"},
        {"action": "do.2"},
        {"target": "t3", "actor_id": "usr_1"},
        {"action": "do.0", "target": "t0", "actor_id": "usr_0"},
        {"action": "do.9"},
    ],
    ids=str,
)
def test_filters_are_those_of_a_plain_loop(trail: Records, wanted: dict[str, Any]) -> None:
    with trail.reading() as session:
        every = store.list_entries(session, Place(100), Wanted())
        found = store.list_entries(session, Place(100), Wanted(**wanted))
    expected = [
        entry.id
        for entry in every
        if all(getattr(entry, name) == value for name, value in wanted.items())
    ]
    assert [entry.id for entry in found] == expected


def test_times_are_from_and_up_to(trail: Records) -> None:
    with trail.reading() as session:
        every = store.list_entries(session, Place(100), Wanted())
        middle = every[5].at
        since = store.list_entries(session, Place(100), Wanted(since=middle))
        until = store.list_entries(session, Place(100), Wanted(until=middle))
    assert {one.id for one in since} == {one.id for one in every if one.at >= middle}
    assert {one.id for one in until} == {one.id for one in every if one.at < middle}
