"""Who waits together runs together, in lanes, and gets what is his; nobody waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from threading import Barrier, Event

import pytest

from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError, UnavailableError
from waferscope.service.gather import CELLS_TOGETHER, MOST_WAITING, Gatherer


class Echo:
    """Stands for the model: gives back the wafers, and notes who ran together."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, float | None]] = []

    def __call__(self, wafers: Sequence[WaferMap], threshold: float | None) -> Sequence[Prediction]:
        if threshold == 7.0:
            raise InputError("Expected a threshold from 0 to 1, got 7.")
        self.runs.append((len(wafers), threshold))
        return wafers  # type: ignore[return-value]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def gatherer(echo: Echo) -> Iterator[Gatherer]:
    one = Gatherer(echo, 1, 0.05)
    yield one
    one.close()


async def ask_all(
    gatherer: Gatherer, wafers: Sequence[WaferMap], threshold: float | None = None
) -> list[object]:
    return await asyncio.gather(*(gatherer.ask(wafer, threshold) for wafer in wafers))


def test_each_gets_his_own(gatherer: Gatherer, echo: Echo) -> None:
    wafers = [make_wafer(seed) for seed in range(40)]
    found = asyncio.run(ask_all(gatherer, wafers))
    assert all(one is wafer for one, wafer in zip(found, wafers, strict=True))
    assert sum(count for count, _ in echo.runs) == 40
    assert len(echo.runs) < 10


def test_what_runs_together_is_bounded(gatherer: Gatherer, echo: Echo) -> None:
    side = 100  # three of them are fewer cells than the bound, four are more
    assert 3 * side * side < CELLS_TOGETHER < 4 * side * side
    asyncio.run(ask_all(gatherer, [make_wafer(seed, side) for seed in range(6)]))
    assert [count for count, _ in echo.runs] == [3, 3]


def test_each_threshold_runs_by_itself_and_a_wrong_one_alone_fails(
    gatherer: Gatherer, echo: Echo
) -> None:
    async def mixed() -> list[object]:
        asked = [gatherer.ask(make_wafer(1), t) for t in (0.2, 7.0, 0.2, None)]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(mixed())
    assert [isinstance(one, InputError) for one in found] == [False, True, False, False]
    assert echo.runs == [(2, 0.2), (1, None)]


def test_lanes_run_beside_each_other() -> None:
    """Two that have to meet, in companies of one: with a single lane they never would."""
    meet = Barrier(2, timeout=20)

    def run(wafers: Sequence[WaferMap], _: float | None) -> Sequence[Prediction]:
        meet.wait()
        return wafers  # type: ignore[return-value]

    gatherer = Gatherer(run, 2, 0.0)
    large = [make_wafer(seed, 160) for seed in range(2)]  # neither fits beside the other
    assert CELLS_TOGETHER < 160 * 160 * 2
    assert len(asyncio.run(ask_all(gatherer, large))) == 2
    gatherer.close()


def test_who_went_away_is_not_served(gatherer: Gatherer, echo: Echo) -> None:
    async def leave() -> None:
        task = asyncio.create_task(gatherer.ask(make_wafer(1), None))
        await asyncio.sleep(0.01)
        task.cancel()
        await gatherer.ask(make_wafer(2), None)

    asyncio.run(leave())
    assert echo.runs == [(1, None)]


def test_too_many_are_sent_away_and_the_others_served() -> None:
    held, wafer = Event(), make_wafer(1, 4)

    def run(wafers: Sequence[WaferMap], _: float | None) -> Sequence[Prediction]:
        held.wait(20)
        return wafers  # type: ignore[return-value]

    gatherer = Gatherer(run, 1, 0.0)

    async def crowd() -> int:
        asked = [asyncio.create_task(gatherer.ask(wafer, None)) for _ in range(2 * MOST_WAITING)]
        await asyncio.sleep(0)
        sent_away = next(task for task in asked if task.done())
        with pytest.raises(UnavailableError, match="more to do") as refused:
            await sent_away
        assert refused.value.retry_after == 1
        held.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        return sum(not isinstance(one, BaseException) for one in found)

    served = asyncio.run(crowd())
    assert MOST_WAITING <= served < 2 * MOST_WAITING
    gatherer.close()


def test_closing_finishes_what_runs_and_an_unused_one_closes_too(echo: Echo) -> None:
    Gatherer(echo, 2, 0.0).close()
    busy = Gatherer(echo, 2, 0.0)
    assert len(asyncio.run(ask_all(busy, [make_wafer(1)]))) == 1
    busy.close()
