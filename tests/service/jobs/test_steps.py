"""Steps and the gate before them: open, closed, and waited for."""

from __future__ import annotations

import threading
import time

from waferscope.service.jobs.steps import Gate, house
from waferscope.service.parts import Parts


def test_a_closed_gate_waits_for_those_inside() -> None:
    gate, entered, leave = Gate(), threading.Event(), threading.Event()

    def step() -> None:
        with gate.passing():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=step)
    thread.start()
    entered.wait(10)
    assert not gate.close(0.05)
    leave.set()
    assert gate.close(10)
    thread.join()


def test_nobody_enters_a_closed_gate_until_it_opens() -> None:
    gate, entered = Gate(), threading.Event()
    assert gate.close(0)

    def step() -> None:
        with gate.passing():
            entered.set()

    thread = threading.Thread(target=step)
    thread.start()
    time.sleep(0.1)
    assert not entered.is_set()
    gate.open()
    thread.join(10)
    assert entered.is_set()


def test_a_step_that_fails_leaves_the_gate() -> None:
    gate = Gate()
    try:
        with gate.passing():
            raise KeyError
    except KeyError:
        assert gate.close(0)


def test_jobs_work_with_the_parts_that_moved_in(moved_in: Parts) -> None:
    assert house() is moved_in
