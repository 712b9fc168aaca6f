"""The SQL of flags: whose they are, which prediction is meant, what is open."""

from __future__ import annotations

import pytest

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.errors import NotFoundError
from waferscope.service.flags import store
from waferscope.service.flags.schemas import Sought
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.tables import Flag, Wafer


def test_a_flag_is_somebodys(house: Parts) -> None:
    user, other = add_person(house, "annotator").id, add_person(house, "annotator").id
    wafer = add_wafer(house, user, labels={})
    with house.records.writing() as session:
        prediction = store.find_prediction(session, session.get_one(Wafer, wafer), None)
        added = store.add_flag(
            session,
            Flag(wafer_id=wafer, prediction_id=prediction, user_id=user, note="wrong"),
        )
        assert (added.id[:5], added.state) == ("flag_", "open")
    with house.records.writing() as session:
        assert store.get_flag(session, added.id, None, lock=True).note == "wrong"
        assert store.get_flag(session, added.id, user).note == "wrong"
        with pytest.raises(NotFoundError, match="id of a flag"):
            store.get_flag(session, added.id, other)
        for sought, count in (
            (Sought(), 1),
            (Sought(user_id=other), 0),
            (Sought(state="open"), 1),
            (Sought(state="confirmed"), 0),
        ):
            assert len(store.list_flags(session, Place(10), sought)) == count
        store.delete_flag(session, store.get_flag(session, added.id, user))
        assert store.list_flags(session, Place(10), Sought()) == []


def test_a_wafer_without_a_prediction_has_none_to_flag(house: Parts) -> None:
    wafer = add_wafer(house, add_person(house, "annotator").id)
    with house.records.reading() as session:
        row = session.get_one(Wafer, wafer)
        with pytest.raises(NotFoundError, match="Predict the wafer first"):
            store.find_prediction(session, row, None)
        with pytest.raises(NotFoundError, match="pred_0"):
            store.find_prediction(session, row, "pred_0")
