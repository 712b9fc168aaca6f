"""Single wafers that wait for the model, sent through it in company.

Those that arrive within a few milliseconds of each other, or while every lane is busy, run
together: fifty clients do not run fifty sessions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, Full, Queue
from threading import Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Final

from waferscope.errors import UnavailableError

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction
    from waferscope.domain.wafermap import WaferMap

CELLS_TOGETHER: Final = 11 * 64 * 64
"""Most cells that run together: a third of 32 clients, so that lanes and answers take turns."""
MOST_WAITING: Final = 1_000
Run = Callable[[Sequence["WaferMap"], float | None], Sequence["Prediction"]]


@dataclass(frozen=True)
class _Asked:
    """One wafer that waits for its prediction."""

    wafer: WaferMap
    threshold: float | None
    answer: Future[Prediction] = field(default_factory=Future)

    @property
    def cells(self) -> int:
        return self.wafer.dies.size


class Gatherer:
    """Sends wafers to ``run`` in company, in ``lanes`` threads; close it with ``close()``.

    A wafer waits ``window`` seconds for others, and longer while no lane is free. Threads begin
    with the first wafer.
    """

    def __init__(self, run: Run, lanes: int, window: float) -> None:
        self._run: Final = run
        self._window: Final = window
        self._waiting: Final[Queue[_Asked | None]] = Queue(MOST_WAITING)
        self._lanes: Final = ThreadPoolExecutor(lanes, thread_name_prefix="waferscope-model")
        self._free: Final = Semaphore(lanes)
        self._lock: Final = Lock()
        self._thread: Thread | None = None

    async def ask(self, wafer: WaferMap, threshold: float | None) -> Prediction:
        """Return the prediction of one wafer. Raises UnavailableError when a thousand wait."""
        asked = _Asked(wafer, threshold)
        self._begin()
        try:
            self._waiting.put_nowait(asked)
        except Full as error:
            raise UnavailableError(
                "The model has more to do than it can. Try again.", retry_after=1
            ) from error
        return await asyncio.wrap_future(asked.answer)

    def close(self) -> None:
        """Finish what runs, and end the threads."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        self._lanes.shutdown()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._serve, name="waferscope-gather", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        """Send who waits to a free lane, until nobody comes any more."""
        held: _Asked | None = None
        while True:
            first = held or self._waiting.get()
            if first is None:
                return
            self._free.acquire()
            together, held, closing = self._gather(first)
            for number, threshold in enumerate(dict.fromkeys(o.threshold for o in together)):
                if number:
                    self._free.acquire()
                self._send([one for one in together if one.threshold == threshold], threshold)
            if closing:
                return

    def _gather(self, first: _Asked) -> tuple[list[_Asked], _Asked | None, bool]:
        """Return who runs together, who came but has to wait, and whether nobody comes after."""
        together, cells = [first], first.cells
        end = time.monotonic() + self._window
        while cells < CELLS_TOGETHER:
            try:
                left = end - time.monotonic()
                following = self._waiting.get(left > 0, max(left, 0))
            except Empty:
                break
            if following is None:
                return together, None, True
            cells += following.cells
            if cells > CELLS_TOGETHER:
                return together, following, False
            together.append(following)
        return together, None, False

    def _send(self, together: Sequence[_Asked], threshold: float | None) -> None:
        """Let those who have not gone away run in the lane that was taken for them."""
        still = [one for one in together if one.answer.set_running_or_notify_cancel()]
        if not still:
            self._free.release()
            return
        run = self._lanes.submit(self._run, [one.wafer for one in still], threshold)
        run.add_done_callback(partial(self._settle, still))

    def _settle(self, asked: Sequence[_Asked], run: Future[Sequence[Prediction]]) -> None:
        """Free the lane, and give everybody his prediction, or all the error."""
        self._free.release()
        error = run.exception()
        for number, one in enumerate(asked):
            if error is not None:
                one.answer.set_exception(error)
            else:
                one.answer.set_result(run.result()[number])
