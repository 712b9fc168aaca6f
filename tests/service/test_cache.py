"""The cache, in memory and in Redis."""

from __future__ import annotations

import asyncio

from waferscope.service.cache import Cache


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
