"""The cache, in memory and in Redis."""

from __future__ import annotations

import asyncio
import tracemalloc

from waferscope.service.cache import ENTRY_BYTES, MEMORY_BYTES, Cache, Memory


def test_bytes_are_kept_for_a_while(cache_url: str) -> None:
    async def run() -> None:
        cache = Cache(cache_url)
        assert await cache.ping()
        assert await cache.get("a") is None
        await cache.set("a", b"\x00\xffwafer", 60)
        assert await cache.get("a") == b"\x00\xffwafer"
        await cache.set("a", b"", 0.2)
        assert await cache.get("a") == b""
        await asyncio.sleep(0.4)
        assert await cache.get("a") is None
        await cache.set("b", b"x", 60)
        await cache.delete("b")
        assert await cache.get("b") is None
        await cache.close()

    asyncio.run(run())


def test_a_cache_out_of_reach_is_an_empty_one() -> None:
    async def run() -> None:
        cache = Cache("redis://127.0.0.1:9/0")
        await cache.set("a", b"x", 60)
        assert await cache.get("a") is None
        assert not await cache.ping()
        await cache.delete("a")
        await cache.close()

    asyncio.run(run())


def test_memory_is_bounded_by_bytes_and_the_oldest_goes_first() -> None:
    one = ENTRY_BYTES + len("a") + 1000

    async def run() -> None:
        memory = Memory(3 * one)
        for key in "abc":
            await memory.set(key, bytes(1000), 60)
        assert memory.size == 3 * one
        assert await memory.get("a") == bytes(1000)  # asked for: now b is the oldest
        await memory.set("d", bytes(1000), 60)
        assert [await memory.get(key) is not None for key in "abcd"] == [True, False, True, True]
        assert memory.size == 3 * one
        await memory.set("e", bytes(1500), 60)
        assert [await memory.get(key) is not None for key in "acde"] == [False, False, True, True]
        assert memory.size == 2 * one + 500

    asyncio.run(run())


def test_memory_counts_what_is_replaced_expired_deleted_or_too_large() -> None:
    async def run() -> None:
        memory = Memory(2000)
        for size in (1000, 100, 1500):
            await memory.set("a", bytes(size), 60)
            assert memory.size == ENTRY_BYTES + 1 + size
        await memory.set("a", bytes(2000), 60)
        assert await memory.get("a") is None
        assert memory.size == 0
        await memory.set("b", b"x", -1)
        assert await memory.get("b") is None
        await memory.set("c", b"x", 60)
        await memory.delete("c")
        await memory.delete("c")
        assert memory.size == 0

    asyncio.run(run())


def test_many_small_entries_fill_no_more_memory_than_large_ones() -> None:
    async def run() -> tuple[int, int]:
        memory, most = Memory(1_000_000), 0
        tracemalloc.start()
        for number in range(20_000):
            await memory.set(f"{number:040d}", b"x", 60)
            most = max(most, memory.size)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most, taken

    most, taken = asyncio.run(run())
    assert most <= 1_000_000
    assert taken < 2_000_000
    assert MEMORY_BYTES >= 1_000 * 100_000  # a thousand large pages
