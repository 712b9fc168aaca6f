"""How often somebody may ask: counters in memory or in Redis, by user, key or address."""

from __future__ import annotations

import time
from functools import lru_cache
from math import ceil
from typing import Final

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from waferscope.errors import RateError

_log = structlog.get_logger()


class RateLimits:
    """Counts what was asked for and refuses what is too much."""

    def __init__(self, url: str) -> None:
        self._storage: Final = _open_storage(url)
        self._limiter: Final = FixedWindowRateLimiter(self._storage)

    async def check(self, rate: str, *who: str) -> None:
        """Count one more of ``who``. Raises RateError, with the seconds to wait, past the rate.

        Counters that are out of reach refuse nobody: the service goes on without them.
        """
        limit = _parsed(rate)
        try:
            if await self._limiter.hit(limit, *who):
                return
            window = await self._limiter.get_window_stats(limit, *who)
        except StorageError as error:
            _log.warning("rate limits are out of reach", cause=str(error))
            return
        wait = max(1, ceil(window.reset_time - time.time()))
        raise RateError(
            f"Expected at most {rate.replace('/', ' per ')}, got more. Wait {wait} s.",
            retry_after=wait,
        )


@lru_cache(maxsize=64)
def _parsed(rate: str) -> RateLimitItem:
    return parse(rate)


def _open_storage(url: str) -> Storage:
    if url.startswith("memory"):
        return MemoryStorage(wrap_exceptions=True)
    return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy")
