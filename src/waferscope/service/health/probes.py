"""One question to each part, all at once, none for longer than a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from starlette.concurrency import run_in_threadpool

from waferscope.errors import UnavailableError, WaferScopeError
from waferscope.service.health import store
from waferscope.service.health.schemas import Part
from waferscope.service.parts import Parts

PATIENCE_S: Final = 4.0
Name = Literal["database", "blobs", "cache", "model", "worker"]
NEEDED: Final[frozenset[Name]] = frozenset({"database", "blobs", "model"})
"""Without a cache requests are slower, and without a worker jobs wait: neither stops the rest."""


def _ask_worker(house: Parts) -> None:
    with house.records.reading() as session:
        if store.count_workers(session) == 0:
            raise UnavailableError("No worker was heard of. Start `waferscope work`.")


async def _ask_cache(house: Parts) -> None:
    if not await house.cache.ping():
        raise UnavailableError("The cache does not answer.")


async def probe(house: Parts) -> list[Part]:
    """Return what each part says."""
    asked: dict[Name, Callable[[], Awaitable[object]]] = {
        "database": lambda: run_in_threadpool(house.records.ping),
        "blobs": lambda: run_in_threadpool(house.blobs.ping),
        "cache": lambda: _ask_cache(house),
        "model": house.engine.open,
        "worker": lambda: run_in_threadpool(_ask_worker, house),
    }
    return list(await asyncio.gather(*(_ask(name, ask) for name, ask in asked.items())))


async def _ask(name: Name, ask: Callable[[], Awaitable[object]]) -> Part:
    try:
        await asyncio.wait_for(ask(), PATIENCE_S)
    except WaferScopeError as error:
        return Part(name=name, ok=False, needed=name in NEEDED, detail=str(error))
    except TimeoutError:
        detail = f"No answer within {PATIENCE_S:g} s."
        return Part(name=name, ok=False, needed=name in NEEDED, detail=detail)
    return Part(name=name, ok=True, needed=name in NEEDED)
