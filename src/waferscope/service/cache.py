"""The cache: bytes under keys for a while, in memory or in Redis. Losing it loses only time."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final, Protocol

from cashews import Cache as Cashews

MEMORY_BYTES: Final = 100_000_000
"""Most that a process keeps in memory."""
ENTRY_BYTES: Final = 256
"""What an entry takes beside its key and value: measured 228 to 253."""


class _Store(Protocol):
    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, expire: float) -> object: ...

    async def delete(self, key: str) -> object: ...

    async def close(self) -> None: ...


class Memory:
    """Bytes in this process, ``most`` at a time: what was not asked for longest goes first.

    What has expired goes when it is asked for, or when there is too much. The memory of `cashews`
    counts entries, which may be of any size.
    """

    def __init__(self, most: int = MEMORY_BYTES) -> None:
        self._most: Final = most
        self._kept: Final[OrderedDict[str, tuple[float, bytes]]] = OrderedDict()
        self.size = 0

    async def get(self, key: str) -> bytes | None:
        """Return the bytes, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        until, value = found
        if until < time.monotonic():
            await self.delete(key)
            return None
        self._kept.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, expire: float) -> None:
        """Keep the bytes for so many seconds; those that are too many by themselves are not."""
        await self.delete(key)
        if _size(key, value) > self._most:
            return
        self._kept[key] = (time.monotonic() + expire, value)
        self.size += _size(key, value)
        while self.size > self._most:
            await self.delete(next(iter(self._kept)))

    async def delete(self, key: str) -> None:
        """Forget the key."""
        found = self._kept.pop(key, None)
        if found is not None:
            self.size -= _size(key, found[1])

    async def close(self) -> None:
        """Do nothing: there are no connections."""


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES


class Cache:
    """Bytes by key. A cache that is out of reach behaves like an empty one."""

    def __init__(self, url: str) -> None:
        self._store: Final[_Store] = Memory() if url.startswith("memory") else _redis(url)

    async def get(self, key: str) -> bytes | None:
        """Return the bytes, or None."""
        found = await self._store.get(key)
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keep the bytes for a while."""
        await self._store.set(key, value, expire=seconds)

    async def delete(self, key: str) -> None:
        """Forget the key."""
        await self._store.delete(key)

    async def ping(self) -> bool:
        """Return whether the cache answers."""
        await self.set("ping", b"1", 5)
        return await self.get("ping") == b"1"

    async def close(self) -> None:
        """Give back every connection."""
        await self._store.close()


def _redis(url: str) -> Cashews:
    found = Cashews()
    found.setup(url, suppress=True, pickle_type="null")
    return found
