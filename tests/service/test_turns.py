"""Taking turns on threads."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from waferscope.service.turns import Turns

NAME: ContextVar[str] = ContextVar("name")


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_than_so_many_at_a_time(count: int) -> None:
    turns, lock = Turns("test", count), threading.Lock()
    running: list[int] = []
    most: list[int] = []
    full = threading.Barrier(count)

    def work(number: int) -> int:
        with lock:
            running.append(number)
            most.append(len(running))
        full.wait(10)  # so many do run at a time
        with lock:
            running.remove(number)
        return number

    async def main() -> list[int]:
        return await asyncio.gather(*(turns.run(work, number) for number in range(4 * count)))

    assert asyncio.run(main()) == list(range(4 * count))
    assert asyncio.run(main()) == list(range(4 * count))  # in another event loop too
    assert max(most) == count
    turns.close()


def test_what_is_raised_and_who_asks_come_through() -> None:
    turns = Turns("test", 1)

    def refuse() -> None:
        raise ValueError(NAME.get())

    async def main() -> None:
        NAME.set("somebody")
        await turns.run(refuse)

    with pytest.raises(ValueError, match="somebody"):
        asyncio.run(main())
    turns.close()
    with pytest.raises(RuntimeError):
        asyncio.run(main())
