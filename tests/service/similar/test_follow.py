"""An index that follows the records: what is new, what is late, what is gone."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.service.conftest import add_person
from tests.service.made import MODEL, insert_wafer
from waferscope.errors import UnavailableError
from waferscope.service.parts import Parts
from waferscope.service.similar import follow, store
from waferscope.service.similar.follow import SETTLED, catch_up, forget
from waferscope.service.tables import Embedding
from waferscope.service.tables.row import now
from waferscope.service.vectors import Followed, VectorIndex

SIZE = 8
AXES = np.eye(SIZE, dtype=np.float32)


@pytest.fixture
def user(house: Parts) -> str:
    return add_person(house, "annotator").id


def add(session: Session, user: str, axis: int) -> int:
    """Add a wafer whose embedding points along an axis; return the embedding's number."""
    wafer = insert_wafer(session, user, embedding=AXES[axis])
    number = session.scalar(select(Embedding.number).where(Embedding.wafer_id == wafer))
    assert number is not None
    return number


def age(session: Session, *numbers: int) -> None:
    """Make rows look as if they were added long ago."""
    for number in numbers:
        session.get_one(Embedding, number).created_at = now() - 2 * SETTLED
    session.flush()


def fresh() -> Followed:
    return Followed(VectorIndex(SIZE))


def held(followed: Followed) -> set[int]:
    return set(followed.index.search(AXES[0], 1000).tolist())


@pytest.mark.parametrize("step", [2, follow.STEP])
def test_every_row_is_in_it_once_however_often_it_looks(
    house: Parts, user: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "STEP", step)
    followed = fresh()
    with house.records.writing() as session:
        numbers = [add(session, user, i) for i in range(5)]
        age(session, *numbers[:3])
    for _ in range(3):
        followed.passed_at = None
        with house.records.reading() as session:
            catch_up(session, followed, MODEL)
        assert held(followed) == set(numbers)
        assert len(followed.index) == 5
        assert followed.settled == numbers[2]
        assert followed.recent == set(numbers[3:])
    with house.records.writing() as session:
        numbers.append(add(session, user, 5))
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)
    assert held(followed) == set(numbers)


def test_rows_are_looked_through_again_only_when_something_is_new_or_old(
    house: Parts, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    look = store.numbers_after

    def counted(*words: Any) -> Any:
        passes.append(1)
        return look(*words)

    monkeypatch.setattr(store, "numbers_after", counted)
    followed = fresh()
    with house.records.writing() as session:
        add(session, user, 0)
        for _ in range(3):
            catch_up(session, followed, MODEL)
        assert len(passes) == 1
        add(session, user, 1)
        catch_up(session, followed, MODEL)
        assert len(passes) == 2
        followed.passed_at = now() - 2 * SETTLED
        catch_up(session, followed, MODEL)
        assert len(passes) == 3


def test_a_number_that_turns_up_late_is_found(house: Parts, user: str) -> None:
    followed = fresh()
    with house.records.writing() as session:
        early, late, last = (add(session, user, i) for i in range(3))
        age(session, early)
        row = session.get_one(Embedding, late)
        wafer, vector, made = row.wafer_id, row.vector, row.created_at
        session.delete(row)
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)
    assert held(followed) == {early, last}
    with house.records.writing() as session:  # the slower transaction commits now
        session.add(
            Embedding(
                number=late,
                wafer_id=wafer,
                model_version=MODEL,
                size=SIZE,
                vector=vector,
                created_at=made,
            )
        )
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)
    assert held(followed) == {early, late, last}


def test_only_embeddings_of_its_model_are_in_it(house: Parts, user: str) -> None:
    with house.records.writing() as session:
        mine, other = add(session, user, 0), add(session, user, 1)
        session.get_one(Embedding, other).model_version = "another"
    followed = fresh()
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)
    assert held(followed) == {mine}


def test_what_is_gone_is_forgotten(house: Parts, user: str) -> None:
    followed = fresh()
    with house.records.writing() as session:
        first, second = add(session, user, 0), add(session, user, 1)
        catch_up(session, followed, MODEL)
    forget(followed, np.array([first]))
    assert held(followed) == {second}


def test_a_request_does_not_wait_for_long(
    house: Parts, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PATIENCE_S", 0.05)
    followed = fresh()
    refused = pytest.raises(UnavailableError, match="being filled")
    with followed.lock, house.records.reading() as session, refused:
        catch_up(session, followed, MODEL)
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)  # the lock is free again
    assert not followed.lock.locked()


def test_many_who_look_at_once_add_each_row_once(house: Parts, user: str) -> None:
    with house.records.writing() as session:
        numbers = {add(session, user, i % SIZE) for i in range(12)}
    followed = fresh()

    def look() -> None:
        with house.records.reading() as session:
            catch_up(session, followed, MODEL)

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(followed.index) == len(numbers)
    assert held(followed) == numbers


def test_a_transaction_may_take_as_long_as_is_said() -> None:
    assert timedelta(seconds=60) <= SETTLED
