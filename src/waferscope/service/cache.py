"""The cache: bytes under keys for a while, in memory or in Redis. Losing it loses only time."""

from __future__ import annotations

from typing import Final

from cashews import Cache as Cashews

MEMORY_ENTRIES: Final = 2_000


class Cache:
    """Bytes by key. A cache that is out of reach behaves like an empty one."""

    def __init__(self, url: str) -> None:
        self._cashews: Final = Cashews()
        if url.startswith("memory"):
            # Without its sweep, which reads every entry each second, a tenth of what a busy event
            # loop does: what has expired goes when it is asked for, or when there are too many.
            self._cashews.setup("mem://", size=MEMORY_ENTRIES, check_interval=0, pickle_type="null")
        else:
            self._cashews.setup(url, suppress=True, pickle_type="null")

    async def get(self, key: str) -> bytes | None:
        """Return the bytes, or None."""
        found = await self._cashews.get(key)
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keep the bytes for a while."""
        await self._cashews.set(key, value, expire=seconds)

    async def delete(self, key: str) -> None:
        """Forget the key."""
        await self._cashews.delete(key)

    async def ping(self) -> bool:
        """Return whether the cache answers."""
        await self.set("ping", b"1", 5)
        return await self.get("ping") == b"1"

    async def close(self) -> None:
        """Give back every connection."""
        await self._cashews.close()
