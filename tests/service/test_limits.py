"""Counters of who asks how often, in memory and in Redis."""

from __future__ import annotations

import asyncio

import pytest

from waferscope.errors import RateError
from waferscope.service.limits import RateLimits


def ask(url: str, *asked: tuple[str, ...]) -> list[int]:
    """The waits that each of the questions is answered with; 0: let in."""

    async def run() -> list[int]:
        limits, waits = RateLimits(url), []
        for who in asked:
            try:
                await limits.check("2/minute", *who)
            except RateError as error:
                waits.append(error.retry_after)
            else:
                waits.append(0)
        return waits

    return asyncio.run(run())


def test_what_is_too_often_is_told_when_to_come_back(cache_url: str) -> None:
    waits = ask(cache_url, ("user", "a"), ("user", "a"), ("user", "b"), ("user", "a"), ("key", "a"))
    assert waits[:3] == [0, 0, 0]
    assert 1 <= waits[3] <= 60
    assert waits[4] == 0


def test_processes_count_together_in_redis(cache_url: str, backend: str) -> None:
    first = ask(cache_url, ("user", "a"), ("user", "a"))
    second = ask(cache_url, ("user", "a"))
    assert first == [0, 0]
    assert (second[0] > 0) == (backend == "servers")


def test_counters_out_of_reach_refuse_nobody() -> None:
    assert ask("redis://127.0.0.1:9/0", *[("user", "a")] * 4) == [0, 0, 0, 0]


def test_the_message_says_how_long() -> None:
    with pytest.raises(RateError, match=r"at most 2 per minute, got more\. Wait \d+ s"):
        asyncio.run(_three())


async def _three() -> None:
    limits = RateLimits("memory://")
    for _ in range(3):
        await limits.check("2/minute", "a")
