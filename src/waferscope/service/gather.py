"""Single wafers that wait for the model, sent through it in company.

Those that arrive within a few milliseconds of each other, or while every lane is busy, run
together: fifty clients do not run fifty sessions. Who runs with whom is settled on the event
loop, between requests: a thread of its own would have to be given the interpreter for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from waferscope.errors import UnavailableError
from waferscope.infer.batching import CELLS_PER_BATCH

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction
    from waferscope.domain.wafermap import WaferMap

CELLS_TOGETHER: Final = CELLS_PER_BATCH
"""Most cells that run together: a batch of the model, 8 wafers of 64 x 64."""
MOST_WAITING: Final = 1_000
Run = Callable[[Sequence["WaferMap"], float | None], Sequence["Prediction"]]


@dataclass(eq=False, slots=True)
class _Asked:
    """One wafer that waits for its prediction; ``due`` once it need not wait for company."""

    wafer: WaferMap
    threshold: float | None
    answer: asyncio.Future[Prediction]
    due: bool = False


class Gatherer:
    """Sends wafers to ``run`` in company, in ``lanes`` threads; close it with ``close()``.

    A wafer waits ``window`` seconds for others, and longer while no lane is free. All but ``run``
    happens on the event loop of who asks. Threads begin with the first wafers.
    """

    def __init__(self, run: Run, lanes: int, window: float) -> None:
        self._run: Final = run
        self._window: Final = window
        self._lanes: Final = ThreadPoolExecutor(lanes, thread_name_prefix="waferscope-model")
        self._free = lanes
        self._waiting: list[_Asked] = []

    async def ask(self, wafer: WaferMap, threshold: float | None) -> Prediction:
        """Return the prediction of one wafer. Raises UnavailableError when a thousand wait."""
        if len(self._waiting) >= MOST_WAITING:
            raise UnavailableError(
                "The model has more to do than it can. Try again.", retry_after=1
            )
        loop = asyncio.get_running_loop()
        asked = _Asked(wafer, threshold, loop.create_future())
        self._waiting.append(asked)
        loop.call_later(self._window, self._wait_no_more, asked)
        self._start()
        return await asked.answer

    def close(self) -> None:
        """Finish what runs, and end the threads."""
        self._lanes.shutdown()

    def _wait_no_more(self, asked: _Asked) -> None:
        asked.due = True
        self._start()

    def _start(self) -> None:
        """Send off companies while there are lanes for them."""
        while self._free and (company := self._gather()):
            self._free -= 1
            wafers = [one.wafer for one in company]
            run = asyncio.get_running_loop().run_in_executor(
                self._lanes, self._run, wafers, company[0].threshold
            )
            run.add_done_callback(partial(self._settle, company))

    def _gather(self) -> list[_Asked]:
        """Take who runs together: who waits longest, and others that ask for the same threshold.

        Nobody, while there is room for others and time to wait for them.
        """
        self._waiting = [one for one in self._waiting if not one.answer.done()]
        company: list[_Asked] = []
        cells = 0
        for one in self._waiting:
            if company and one.threshold != company[0].threshold:
                continue
            cells += one.wafer.dies.size
            if company and cells > CELLS_TOGETHER:
                break
            company.append(one)
        if not company or not (company[0].due or cells >= CELLS_TOGETHER):
            return []
        self._waiting = [one for one in self._waiting if one not in company]
        return company

    def _settle(self, company: Sequence[_Asked], run: asyncio.Future[Sequence[Prediction]]) -> None:
        """Free the lane, and give everybody his prediction, or all the error."""
        self._free += 1
        error = run.exception()
        for number, one in enumerate(company):
            if one.answer.done():  # gone away meanwhile
                continue
            if error is not None:
                one.answer.set_exception(error)
            else:
                one.answer.set_result(run.result()[number])
        self._start()
