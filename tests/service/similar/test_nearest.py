"""The nearest wafers against all cosines, whatever the filter and whoever was deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.made import MODEL, insert_wafer
from waferscope.service.parts import Parts
from waferscope.service.selection.filters import EVERYTHING, Wanted
from waferscope.service.similar import nearest
from waferscope.service.similar.follow import catch_up
from waferscope.service.similar.nearest import Asked, Near, find_nearest
from waferscope.service.tables import Wafer
from waferscope.service.tables.row import now
from waferscope.service.vectors import Floats, Followed, VectorIndex

COUNT, SIZE = 300, 16


@dataclass
class Stored:
    """Wafers of three products, every fifth deleted; ``vectors`` is float32 ``[n, d]``."""

    ids: list[str]
    vectors: Floats
    products: list[str]
    deleted: list[bool]

    def nearest(self, query: Floats, k: int, product: str | None, self_id: str) -> list[str]:
        order = np.argsort(-(self.vectors @ query), kind="stable")
        fitting = [
            self.ids[i]
            for i in order
            if not self.deleted[i]
            and product in {None, self.products[i]}
            and self.ids[i] != self_id
        ]
        return fitting[:k]


@pytest.fixture
def stored(house: Parts) -> Stored:
    rng = np.random.default_rng(8)
    vectors = rng.normal(size=(COUNT, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    user = add_person(house, "annotator").id
    products = [f"P{i % 3}" for i in range(COUNT)]
    deleted = [i % 5 == 0 for i in range(COUNT)]
    with house.records.writing() as session:
        ids = [
            insert_wafer(
                session,
                user,
                product=products[i],
                embedding=vectors[i],
                deleted_at=now() if deleted[i] else None,
            )
            for i in range(COUNT)
        ]
    return Stored(ids, vectors, products, deleted)


def find(house: Parts, followed: Followed, **asked: Any) -> list[Near]:
    words: dict[str, Any] = {"model_version": MODEL, "k": 10, "wanted": EVERYTHING, **asked}
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)
        return find_nearest(session, followed, Asked(**words))


def forced(monkeypatch: pytest.MonkeyPatch, narrow: int, most: int) -> None:
    monkeypatch.setattr(nearest, "NARROW", narrow)
    monkeypatch.setattr(nearest, "MOST_CANDIDATES", most)


WAYS: dict[str, tuple[int, int]] = {
    "among those that fit": (20_000, 20_000),
    "sorted out afterwards": (3, 20_000),
    "sorted out, then among those that fit": (3, 60),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("product", [None, "P1"])
def test_the_nearest_are_those_of_all_cosines(
    house: Parts,
    stored: Stored,
    product: str | None,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forced(monkeypatch, *WAYS[way])
    followed = Followed(VectorIndex(SIZE))
    for i in range(0, COUNT, 50):
        query, own = stored.vectors[i], stored.ids[i]
        wanted = Wanted(product=product)
        found = find(house, followed, vector=query, wanted=wanted, self_id=own)
        assert [one.wafer.id for one in found] == stored.nearest(query, 10, product, own)
        places = [stored.ids.index(one.wafer.id) for one in found]
        cosines = stored.vectors[places] @ query
        np.testing.assert_allclose([one.similarity for one in found], cosines, atol=1e-6)


def test_there_are_no_more_than_there_are(house: Parts, stored: Stored) -> None:
    followed = Followed(VectorIndex(SIZE))
    found = find(house, followed, vector=stored.vectors[0], k=100, wanted=Wanted(product="P2"))
    assert len(found) == sum(
        p == "P2" and not gone for p, gone in zip(stored.products, stored.deleted, strict=True)
    )
    assert find(house, followed, vector=stored.vectors[0], wanted=Wanted(product="P9")) == []


def change(house: Parts, wafer_id: str, how: Callable[[Wafer], None]) -> None:
    with house.records.writing() as session:
        how(session.get_one(Wafer, wafer_id))


def test_a_wafer_leaves_and_comes_back_with_its_record(house: Parts, stored: Stored) -> None:
    followed = Followed(VectorIndex(SIZE))
    query, own = stored.vectors[7], stored.ids[7]
    assert find(house, followed, vector=query)[0].wafer.id == own
    change(house, own, lambda wafer: setattr(wafer, "deleted_at", now()))
    assert own not in {one.wafer.id for one in find(house, followed, vector=query)}
    change(house, own, lambda wafer: setattr(wafer, "deleted_at", None))
    assert find(house, followed, vector=query)[0].wafer.id == own
    assert len(followed.index) == COUNT


def test_a_wafer_that_was_purged_is_dropped_from_the_index(house: Parts, stored: Stored) -> None:
    followed = Followed(VectorIndex(SIZE))
    query = stored.vectors[7]
    find(house, followed, vector=query)
    with house.records.writing() as session:
        gone = session.scalars(select(Wafer).where(Wafer.id == stored.ids[7])).one()
        session.delete(gone)
    assert stored.ids[7] not in {one.wafer.id for one in find(house, followed, vector=query)}
    assert len(followed.index) == COUNT - 1


def test_no_embeddings_no_neighbours(house: Parts) -> None:
    empty = Followed(VectorIndex(SIZE))
    assert find(house, empty, vector=np.eye(SIZE, dtype=np.float32)[0]) == []
