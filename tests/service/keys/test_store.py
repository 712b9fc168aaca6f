"""The SQL of keys."""

from __future__ import annotations

import pytest

from tests.service.conftest import add_person
from waferscope.errors import NotFoundError
from waferscope.service.keys import store
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.tables import ApiKey


def test_keys_are_listed_newest_first_by_owner(house: Parts) -> None:
    one, other = add_person(house, "viewer"), add_person(house, "viewer")
    made: list[str] = []
    with house.records.writing() as session:
        for owner in (one, other, one):
            digest = f"{len(made)}"
            key = ApiKey(
                user_id=owner.id, name="n", digest=digest, hint="h", role="viewer", scopes=["*"]
            )
            made.append(store.add_key(session, key).id)
    with house.records.reading() as session:
        mine = [key.id for key in store.list_keys(session, Place(9), one.id)]
        assert mine == sorted((made[0], made[2]), reverse=True)
        assert len(store.list_keys(session, Place(1), None)) == 2


def test_an_owner_is_an_active_user(house: Parts) -> None:
    closed = add_person(house, "viewer", active=False)
    with house.records.reading() as session:
        for key in (closed.id, "usr_none"):
            with pytest.raises(NotFoundError, match="active user"):
                store.get_owner(session, key)
