"""The parts that every request may lean on, opened once per process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Request

from waferscope.service.cache import Cache
from waferscope.service.db import Records
from waferscope.service.engine import Engine
from waferscope.service.limits import RateLimits
from waferscope.service.queue import JobQueue
from waferscope.service.settings import Settings
from waferscope.service.storage import Blobs
from waferscope.service.telemetry import Figures
from waferscope.service.turns import Turns
from waferscope.service.vectors import VectorIndexes

RENDERERS: Final = 2
"""Threads on which predictions become records: Python runs on one at a time, and a large wafer
may hold one for long."""


@dataclass(frozen=True)
class Parts:
    """Settings and what they open; close it with ``close()``."""

    settings: Settings
    records: Records
    blobs: Blobs
    cache: Cache
    limits: RateLimits
    queue: JobQueue
    engine: Engine
    figures: Figures
    vectors: VectorIndexes = field(default_factory=VectorIndexes)
    rendering: Turns = field(default_factory=lambda: Turns("rendering", RENDERERS))

    async def close(self) -> None:
        """Give back every connection."""
        await self.cache.close()
        self.engine.close()
        self.rendering.close()
        self.queue.close()
        self.records.close()


def open_parts(settings: Settings) -> Parts:
    """Return the parts that the settings name. Folders are made, databases are not."""
    if settings.uses_sqlite or not settings.blobs_url:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    records, figures = Records(settings.records), Figures()
    return Parts(
        settings=settings,
        records=records,
        queue=JobQueue(records),
        blobs=Blobs(settings.blobs),
        cache=Cache(settings.cache_url),
        limits=RateLimits(settings.cache_url),
        engine=Engine(
            figures, settings.model, threads=settings.model_threads, gather_ms=settings.gather_ms
        ),
        figures=figures,
    )


def parts_of(request: Request) -> Parts:
    """Return the parts of the app that answers the request."""
    parts: Parts = request.app.state.parts
    return parts


async def _house(request: Request) -> Parts:
    # A plain function would be called on a thread: dearer than all that it does.
    return parts_of(request)


House = Annotated[Parts, Depends(_house)]
"""The parts, for a route: ``house: House``."""
