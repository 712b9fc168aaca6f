"""Short work that takes turns on a few threads of its own, however many ask for it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Turns:
    """Runs at most ``count`` functions at a time; close it with ``close()``.

    Dearer by far on the threads of the common pool (docs/LOG.md). Whoever is cancelled does not
    wait for the function's end, so it must need nothing that goes with the caller.
    """

    def __init__(self, name: str, count: int) -> None:
        self._threads: Final = ThreadPoolExecutor(count, thread_name_prefix=f"waferscope-{name}")

    async def run(self, function: Callable[[Unpack[Args]], T], *args: *Args) -> T:
        """Return what the function returns, or raise what it raises, once it was its turn."""
        context = copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, context.run, function, *args)

    def close(self) -> None:
        """Take no more; what runs ends by itself."""
        self._threads.shutdown(wait=False)
