"""Work that takes turns on threads: so many of a kind at a time, however many ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, TypeVarTuple, Unpack

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Turns:
    """Runs at most ``count`` functions at a time, each on a thread; others wait."""

    def __init__(self, name: str, count: int) -> None:
        self._count: Final = count
        self._limiters: Final[RunVar[CapacityLimiter]] = RunVar(f"waferscope-{name}")

    async def run(self, function: Callable[[Unpack[Args]], T], *args: *Args) -> T:
        """Return what the function returns, once it was its turn."""
        limiter = self._limiters.get(None)
        if limiter is None:  # limiters belong to one event loop
            limiter = CapacityLimiter(self._count)
            self._limiters.set(limiter)
        return await to_thread.run_sync(function, *args, limiter=limiter)
