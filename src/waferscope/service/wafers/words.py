"""Wafers by a part of their words, where PostgreSQL has an index of trigrams for it.

It takes some parts of words for common that are not, and then looks through the whole list by
date. So a part is looked up by itself first, with no way open but the index of trigrams; only what
turns out to be common is left to the order of the list, in which it is soon found.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ARRAY, ColumnElement, Select, String, any_, func, literal, select
from sqlalchemy.orm import Session

from waferscope.service.tables import Wafer

COMMON: Final = 2_000
"""Wafers beyond which a part of a word is common."""
SHORTEST: Final = 3
"""Letters of a trigram."""
_OTHER_WAYS: Final = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")


def is_among_few(session: Session, text: str) -> ColumnElement[bool] | None:
    """Return that a wafer is one of those whose words hold a part, or None where it is common."""
    if session.get_bind().dialect.name != "postgresql" or len(text) < SHORTEST:
        return None
    query = select(Wafer.id).where(Wafer.text.contains(text.lower(), autoescape=True))
    session.execute(_set_ways("off"))
    found = session.scalars(query.limit(COMMON + 1)).all()
    session.execute(_set_ways("on"))
    if len(found) > COMMON:
        return None
    return Wafer.id == any_(literal(found, ARRAY(String)))


def _set_ways(state: str) -> Select[tuple[str, ...]]:
    """Return what opens or closes the other ways, until the transaction ends at most."""
    return select(*(func.set_config(way, state, True) for way in _OTHER_WAYS))
