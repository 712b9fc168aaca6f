"""Parts of words, looked up through the index of trigrams where there is one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.selection.filters import Wanted
from waferscope.service.tables import Wafer
from waferscope.service.wafers import store, words


@pytest.mark.parametrize("common", [1, 2, words.COMMON])
@pytest.mark.parametrize("text", ["RED", "red_", "%", "re", "yellow"])
def test_a_part_finds_the_same_by_every_way(
    house: Parts, monkeypatch: pytest.MonkeyPatch, text: str, common: int
) -> None:
    user = add_person(house, "annotator").id
    ids = {name: add_wafer(house, user) for name in ("red_one", "redone", "blue")}
    with house.records.writing() as session:
        for name, wafer_id in ids.items():
            session.get_one(Wafer, wafer_id).text = name
    monkeypatch.setattr(words, "COMMON", common)
    with house.records.reading() as session:
        found = store.list_wafers(session, Wanted(text=text), "-dated", Place(50))
        few = words.is_among_few(session, text)
        if session.get_bind().dialect.name == "postgresql":
            assert session.scalar(sa.text("SHOW enable_seqscan")) == "on"
    right = {wafer_id for name, wafer_id in ids.items() if text.lower() in name}
    assert {wafer.id for wafer in found} == right
    if len(text) < words.SHORTEST or len(right) > common:
        assert few is None
