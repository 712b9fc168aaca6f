"""The nearest wafers: candidates from the index, compared again by the vectors of the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from waferscope.service.selection.filters import EVERYTHING, Wanted
from waferscope.service.similar import store
from waferscope.service.similar.follow import forget
from waferscope.service.similar.store import Candidate
from waferscope.service.tables import Wafer
from waferscope.service.vectors import Floats, Followed, Numbers

NARROW: Final = 20_000
"""A filter that fits at most so many wafers is searched among them; else they are sorted out."""
MOST_CANDIDATES: Final = 20_000
GROWTH: Final = 4


@dataclass(frozen=True)
class Asked:
    """What is looked for: the ``k`` nearest to ``vector`` of a model, but not ``self_id``."""

    vector: Floats
    model_version: str
    k: int
    wanted: Wanted
    self_id: str = ""

    @property
    def enough(self) -> int:
        """Candidates to compare: their order in the index is that of rounded vectors."""
        return 2 * self.k + 32


@dataclass(frozen=True)
class Near:
    """A wafer and the cosine of its embedding with the one that was asked for."""

    wafer: Wafer
    similarity: float


def find_nearest(session: Session, followed: Followed, asked: Asked) -> list[Near]:
    """Return the nearest wafers that are wanted and not deleted, the nearest first."""
    others = [one for one in _candidates(session, followed, asked) if one.wafer.id != asked.self_id]
    if not others:
        return []
    cosines = np.stack([one.vector for one in others]) @ asked.vector
    order = sorted(range(len(others)), key=lambda i: (-cosines[i], others[i].number))
    return [Near(others[i].wafer, float(np.clip(cosines[i], -1, 1))) for i in order[: asked.k]]


def _candidates(session: Session, followed: Followed, asked: Asked) -> list[Candidate]:
    among = None
    if asked.wanted != EVERYTHING:
        fitting = _matching(session, asked, NARROW + 1)
        among = fitting if len(fitting) <= NARROW else None
    count = 2 * asked.enough
    while True:
        numbers = followed.index.search(asked.vector, count, among)
        found = store.candidates(session, numbers, asked.wanted)
        if len(found) < len(numbers):
            _forget_what_is_gone(session, followed, numbers)
        if len(found) >= asked.enough or len(numbers) < count:
            return found
        count *= GROWTH
        if count > MOST_CANDIDATES and among is None:
            among, count = _matching(session, asked, None), 2 * asked.enough


def _matching(session: Session, asked: Asked, limit: int | None) -> Numbers:
    return store.matching_numbers(session, asked.model_version, asked.wanted, limit)


def _forget_what_is_gone(session: Session, followed: Followed, numbers: Numbers) -> None:
    gone = np.setdiff1d(numbers, store.known_numbers(session, numbers))
    if gone.size:
        forget(followed, gone)
