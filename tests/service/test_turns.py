"""Taking turns on threads."""

from __future__ import annotations

import threading

import anyio
import pytest

from waferscope.service.turns import Turns


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

    async def ask(number: int) -> None:
        assert await turns.run(work, number) == number

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(4 * count):
                group.start_soon(ask, number)

    anyio.run(main)
    anyio.run(main)  # in another event loop too
    assert max(most) == count
