"""Bringing an index of vectors up to date with the records, in every process for itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from waferscope.errors import UnavailableError
from waferscope.service.similar import store
from waferscope.service.tables.row import now
from waferscope.service.vectors import SEGMENT, Followed, Numbers

STEP: Final = SEGMENT
"""Rows that are read at a time: a first reading makes whole segments, none of which is copied."""
SETTLED: Final = timedelta(seconds=120)
"""A number below others turns up within this time, as long as its transaction took, or never."""
PATIENCE_S: Final = 5.0
"""How long a request waits for another one that brings the index up to date."""


def catch_up(session: Session, followed: Followed, model_version: str) -> None:
    """Add to the index what the records have and it has not.

    The first call in a process reads all of a model's embeddings, later ones those that are new.
    Raises UnavailableError when that takes another request longer than `PATIENCE_S`.
    """
    with _alone(followed):
        if _has_all(session, followed, model_version):
            return
        after, settling = followed.settled, True
        while rows := store.numbers_after(session, model_version, after, STEP):
            fresh = [number for number, _ in rows if number not in followed.recent]
            for numbers, vectors in store.vectors_of(session, model_version, fresh):
                new = np.array([number not in followed.recent for number in numbers.tolist()])
                followed.index.add(numbers[new], vectors[new])
                followed.recent.update(numbers.tolist())
            settling = settling and _settle(followed, rows)
            after = rows[-1][0]
            if len(rows) < STEP:
                break
        followed.passed_at = now()


def forget(followed: Followed, numbers: Numbers) -> None:
    """Take out of the index what the records have no more."""
    with _alone(followed):
        followed.index.remove(numbers)


def _has_all(session: Session, followed: Followed, model_version: str) -> bool:
    """Return whether nothing is new since the last pass, which was not long ago."""
    if followed.passed_at is None or followed.passed_at < now() - SETTLED:
        return False
    there = store.tally_after(session, model_version, followed.settled)
    return there == (len(followed.recent), sum(followed.recent))


def _settle(followed: Followed, rows: list[tuple[int, datetime]]) -> bool:
    """Move the mark below which nothing turns up any more; return whether it passed all rows."""
    young = now() - SETTLED
    old = [number for number, made in itertools.takewhile(lambda row: row[1] < young, rows)]
    if old:
        followed.settled = old[-1]
        followed.recent.difference_update(old)
    return len(old) == len(rows)


@contextmanager
def _alone(followed: Followed) -> Iterator[None]:
    if not followed.lock.acquire(timeout=PATIENCE_S):
        raise UnavailableError(
            "Expected the index of embeddings to be ready, got one that is being filled. Try again."
        )
    try:
        yield
    finally:
        followed.lock.release()
