"""Steps of a job: each is remembered, and none begins while the worker is stopping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from dbos import DBOS, StepOptions

from waferscope.errors import UnavailableError
from waferscope.service.parts import Parts

ATTEMPTS: Final = 10
FIRST_WAIT_S: Final = 1.0
Result = TypeVar("Result")


class Gate:
    """Lets steps begin until it is closed; then whoever comes waits for the process to end."""

    def __init__(self) -> None:
        self._free: Final = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Hold the gate for one step."""
        with self._free:
            while self._closed:
                self._free.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._free:
                self._inside -= 1
                self._free.notify_all()

    def close(self, seconds: float) -> bool:
        """Let nobody in any more; wait for those inside. Return whether all of them came out."""
        end = time.monotonic() + seconds
        with self._free:
            self._closed = True
            while self._inside and (left := end - time.monotonic()) > 0:
                self._free.wait(left)
            return self._inside == 0

    def open(self) -> None:
        """Let steps begin again."""
        with self._free:
            self._closed = False
            self._free.notify_all()


GATE: Final = Gate()
_rooms: list[Parts] = []


def move_in(house: Parts) -> None:
    """Set the parts that the jobs of this process work with."""
    _rooms[:] = [house]


def house() -> Parts:
    """Return the parts that the jobs of this process work with."""
    return _rooms[0]


def run_step(name: str, function: Callable[..., Result], *words: object) -> Result:
    """Run a function as a step: after a crash its result is remembered instead of made again.

    The result has to be JSON. What the function writes, it writes in one transaction of its own;
    a crash between that and the remembering repeats it, so it has to bear being done twice. A
    part that is out of reach is waited for, 8 minutes in all.
    """
    options: StepOptions = {
        "name": name,
        "retries_allowed": True,
        "max_attempts": ATTEMPTS,
        "interval_seconds": FIRST_WAIT_S,
        "backoff_rate": 2,
        "should_retry": _passes,
    }
    with GATE.passing():
        return DBOS.run_step(options, function, *words)


def _passes(error: BaseException) -> bool:
    return isinstance(error, UnavailableError)
