"""Orders of the list and their cursors; deleting and restoring."""

from __future__ import annotations

from typing import get_args

import pytest
import sqlalchemy as sa

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.errors import ConflictError, InputError, NotFoundError
from waferscope.service.paging import Place, decode, encode
from waferscope.service.parts import Parts
from waferscope.service.selection.filters import EVERYTHING
from waferscope.service.tables import Wafer
from waferscope.service.wafers import store
from waferscope.service.wafers.schemas import Sort


@pytest.mark.parametrize("sort", get_args(Sort))
def test_equal_keys_lose_no_wafer_between_pages(house: Parts, sort: str) -> None:
    user = add_person(house, "annotator").id
    ids = {add_wafer(house, user, severity=None if n % 2 else 5.0) for n in range(5)}
    found: list[str] = []
    after: tuple[object, ...] = ()
    for _ in range(5):
        with house.records.reading() as session:
            page = store.list_wafers(session, EVERYTHING, sort, Place(1, after))
        found.append(page[0].id)
        after = decode(encode(store.cursor_of(sort, page[0])))
        assert len(page) == (2 if len(found) < 5 else 1)
    assert set(found) == ids


@pytest.mark.parametrize(
    "after", [(), ("dated",), ("-dated", "noon", "waf_1"), ("-dated", 3, "waf_1"), ("x", "y", "z")]
)
def test_cursors_that_were_not_made_here(house: Parts, after: tuple[object, ...]) -> None:
    with house.records.reading() as session:
        if not after:
            assert store.list_wafers(session, EVERYTHING, "-dated", Place(1)) == []
            return
        with pytest.raises(InputError, match="Start anew"):
            store.list_wafers(session, EVERYTHING, "-dated", Place(1, after))


@pytest.mark.parametrize("sort", [name for name in get_args(Sort) if not name.startswith("-")])
def test_an_index_begins_with_every_order(sort: str) -> None:
    """By the text of its first column, as both databases compare them."""
    column = store.ORDERS[sort].column
    wanted = column.name if isinstance(column, sa.Column) else str(column)
    table = Wafer.__table__
    assert isinstance(table, sa.Table)
    firsts = {str(next(iter(index.expressions))).split(".")[-1] for index in table.indexes}
    assert wanted in firsts | {key.name for key in table.primary_key}


def test_deleting_and_restoring(house: Parts) -> None:
    wafer_id = add_wafer(house, add_person(house, "annotator").id)
    with house.records.writing() as session:
        came = session.get_one(Wafer, wafer_id).arrived_at
        assert store.set_deleted(session, wafer_id, deleted=True).deleted_at is not None
        with pytest.raises(ConflictError, match="one that is deleted"):
            store.set_deleted(session, wafer_id, deleted=True)
        back = store.set_deleted(session, wafer_id, deleted=False)
        assert back.deleted_at is None
        assert back.arrived_at > came
        with pytest.raises(ConflictError, match="one that is not"):
            store.set_deleted(session, wafer_id, deleted=False)
        with pytest.raises(NotFoundError):
            store.set_deleted(session, "waf_x", deleted=True)
        with pytest.raises(NotFoundError, match="file is kept"):
            store.get_upload(session, back.upload_id)
