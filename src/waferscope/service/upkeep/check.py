"""The check for what has come loose: rows without their blob, blobs without a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from waferscope.service.auth.identity import SYSTEM
from waferscope.service.migrate import require_newest
from waferscope.service.parts import Parts
from waferscope.service.store import record
from waferscope.service.tables.row import now
from waferscope.service.upkeep import store

YOUNG: Final = timedelta(hours=1)
"""A blob is written before its row: one so young may still get it."""
MOST_NAMED: Final = 100
"""Deleted blobs that the audit trail names; the others it counts."""


@dataclass(frozen=True)
class Findings:
    """What was looked at and what was loose."""

    rows: int
    blobs: int
    missing: tuple[str, ...]
    orphans: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was loose."""
        return not self.missing and not self.orphans


def check(house: Parts, *, mend: bool = False, young: timedelta = YOUNG) -> Findings:
    """Compare records and blobs; with ``mend``, delete the blobs that no row speaks of.

    Mending is in the audit trail before anything is gone. Names of blobs are held in memory:
    about 100 bytes each.
    """
    require_newest(house.records.engine)
    there = dict(house.blobs.ages())
    with house.records.reading() as session:
        wanted = set(store.blobs_of_rows(session.connection()))
        coming = set(store.blobs_of_jobs(session.connection()))
    missing = [name for name in wanted if name not in there and not house.blobs.has(name)]
    old = now() - young
    loose = there.keys() - wanted - coming
    orphans = [name for name in loose if there[name] < old]
    if mend:
        with house.records.writing() as session:
            named = sorted(orphans)[:MOST_NAMED]
            record(session, SYSTEM, "upkeep.mend", deleted=len(orphans), blobs=named)
        for name in orphans:
            house.blobs.delete(name)
    return Findings(len(wanted), len(there), tuple(sorted(missing)), tuple(sorted(orphans)))
