"""The SQL of causes: what is found, and in which order."""

from __future__ import annotations

import pytest

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.errors import NotFoundError
from waferscope.service.causes import store
from waferscope.service.causes.schemas import Sought
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.tables import Cause


def test_a_cause_is_added_found_and_removed(house: Parts) -> None:
    user = add_person(house, "annotator").id
    wafer = add_wafer(house, user)
    with house.records.writing() as session:
        added = store.add_cause(session, Cause(wafer_id=wafer, user_id=user, cause="chuck"))
        assert added.id.startswith("cause_")
        assert (added.label, added.note) == ("", "")
    with house.records.writing() as session:
        found = store.get_cause(session, added.id)
        assert found.cause == "chuck"
        store.delete_cause(session, found)
        with pytest.raises(NotFoundError, match="id of a cause"):
            store.get_cause(session, added.id)


def test_a_page_has_one_more_than_its_room_newest_first(house: Parts) -> None:
    user = add_person(house, "annotator").id
    wafer = add_wafer(house, user)
    with house.records.writing() as session:
        for number in range(4):
            cause = Cause(wafer_id=wafer, user_id=user, cause=f"cause {number}", label="Loc")
            store.add_cause(session, cause).id = f"cause_{number}"
            session.flush()
        listed = store.list_causes(session, Place(2), Sought(label="Loc"))
        assert [one.id for one in listed] == ["cause_3", "cause_2", "cause_1"]
        rest = store.list_causes(session, Place(2, ("cause_1",)), Sought())
        assert [one.id for one in rest] == ["cause_0"]
