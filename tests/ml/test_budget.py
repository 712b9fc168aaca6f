"""A run that has to end in time ends in time, and its rate with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.ml.small import short_run
from waferscope.ml.budget import TimeBudget
from waferscope.ml.task import SegmentationTask, warmup_cosine


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Stoppable:
    should_stop = False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("waferscope.ml.budget.time.monotonic", clock)
    return clock


def step(budget: TimeBudget, trainer: Any, clock: Clock, seconds: float) -> None:
    budget.on_train_batch_start()
    clock.now += seconds
    budget.on_train_batch_end(trainer)


def test_the_run_stops_when_its_minutes_are_spent(clock: Clock) -> None:
    budget, trainer = TimeBudget(1.0), Stoppable()
    for expected in (0.25, 0.5, 0.75):
        step(budget, trainer, clock, 15.0)
        assert budget.share == pytest.approx(expected)
        assert not trainer.should_stop
    step(budget, trainer, clock, 40.0)
    assert budget.share == 1.0
    assert trainer.should_stop


def test_time_between_two_steps_counts_and_time_before_the_first_does_not(clock: Clock) -> None:
    budget, trainer = TimeBudget(1.0), Stoppable()
    clock.now += 500.0
    step(budget, trainer, clock, 6.0)
    clock.now += 6.0
    step(budget, trainer, clock, 6.0)
    assert budget.share == pytest.approx(0.3)


def test_a_resumed_run_has_what_is_left(clock: Clock) -> None:
    first = TimeBudget(1.0)
    step(first, Stoppable(), clock, 30.0)
    again = TimeBudget(1.0)
    again.load_state_dict(first.state_dict())
    assert again.share == pytest.approx(0.5)
    trainer = Stoppable()
    step(again, trainer, clock, 31.0)
    assert trainer.should_stop


def test_the_rate_follows_the_clock_where_it_is_ahead_of_the_steps() -> None:
    config = replace(short_run(), steps=100, warmup_steps=10, minutes=1.0)
    task = SegmentationTask(config)
    assert task.budget is not None
    assert task.configure_callbacks() == [task.budget]
    assert [task._rate(n) for n in (0, 5, 50)] == [warmup_cosine(n, 10, 100) for n in (0, 5, 50)]
    task.budget.spent = 45.0
    assert task._rate(20) == warmup_cosine(75, 10, 100)
    assert task._rate(4) == 0.5 * warmup_cosine(75, 10, 100)
    assert task._rate(90) == warmup_cosine(90, 10, 100)
    plain = SegmentationTask(replace(config, minutes=None))
    assert plain.configure_callbacks() == []
    assert plain._rate(20) == warmup_cosine(20, 10, 100)
