"""The model of the house: opened at its first use, one session per process.

Single wafers that arrive within a few milliseconds of each other, or while the model is busy, go
through it together: fifty clients do not run fifty sessions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from waferscope.errors import NotFoundError, SizeError, UnavailableError
from waferscope.service.telemetry import Figures

if TYPE_CHECKING:  # onnxruntime is loaded when the model is opened, not with the app
    from waferscope.domain.prediction import Prediction
    from waferscope.domain.wafermap import WaferMap
    from waferscope.infer import ModelInfo, Predictor

CELLS_TOGETHER: Final = 28 * 64 * 64
"""Most cells that run together: what the predictor takes as one batch of 64 x 64."""
MOST_CELLS: Final = 1 << 20
"""Most cells of one wafer: the model takes about 0.6 kB of memory for each."""
MOST_WAITING: Final = 1_000
NO_PATTERN: Final = "none"


def check_size(wafer: WaferMap) -> None:
    """Raise SizeError for a wafer that would take more memory than a server has to spare."""
    if wafer.dies.size > MOST_CELLS:
        raise SizeError(
            f"Expected a wafer of at most {MOST_CELLS:,} cells, got {wafer.dies.size:,}. "
            "Predict it with `waferscope predict`."
        )


@dataclass(frozen=True)
class _Asked:
    """One wafer that waits for its prediction."""

    wafer: WaferMap
    threshold: float | None
    answer: Future[Prediction] = field(default_factory=Future)

    @property
    def cells(self) -> int:
        return self.wafer.dies.size


class Engine:
    """Predicts for everybody in this process; close it with ``close()``.

    ``model`` is a model file, or None for the released one; ``threads`` 0 stands for every
    processor; single wafers wait ``gather_ms`` for company.
    """

    def __init__(
        self, figures: Figures, model: Path | None = None, *, threads: int = 0, gather_ms: float = 2
    ) -> None:
        self._figures: Final = figures
        self._model: Final = model
        self._threads: Final = threads or None
        self._window: Final = gather_ms / 1000
        self._predictor: Predictor | None = None
        self._waiting: Final[Queue[_Asked | None]] = Queue(MOST_WAITING)
        self._runner: Final = ThreadPoolExecutor(1, thread_name_prefix="waferscope-model")
        self._gatherer: Thread | None = None
        self._lock: Final = Lock()

    @property
    def predictor(self) -> Predictor:
        """The open model. Raises ModelError when its file cannot be used."""
        with self._lock:
            if self._predictor is None:
                from waferscope.infer import load_predictor

                self._predictor = load_predictor(self._model, self._threads)
            return self._predictor

    @property
    def model(self) -> ModelInfo:
        """What the model says of itself."""
        return self.predictor.model

    def version(self, wanted: str | None = None) -> str:
        """Return the version that predicts. Raises NotFoundError when another one is wanted."""
        own = self.model.version
        if wanted is not None and wanted != own:
            raise NotFoundError(
                f"Expected a model that is served ({own}), got {wanted!r}. "
                "Leave the model out to take the one that is."
            )
        return own

    async def open(self, wanted: str | None = None) -> str:
        """Return `version` without holding up the event loop while the model is opened."""
        if self._predictor is None:
            await asyncio.to_thread(lambda: self.predictor)
        return self.version(wanted)

    def predict(
        self, wafers: Sequence[WaferMap], threshold: float | None = None
    ) -> list[Prediction]:
        """Return the predictions of many wafers, in their order: for uploads and jobs. It blocks.

        Raises InputError for a threshold outside 0 to 1, SizeError for a wafer beyond MOST_CELLS.
        """
        for wafer in wafers:
            check_size(wafer)
        found = self.predictor.predict(wafers, threshold=threshold)
        self._figures.batch_sizes.observe(len(found))
        for prediction in found:
            label = (prediction.labels or [NO_PATTERN])[0]
            self._figures.predictions.labels(label, prediction.model_version).inc()
        return found

    async def predict_one(self, wafer: WaferMap, threshold: float | None = None) -> Prediction:
        """Return the prediction of one wafer, run in the company of others that wait.

        Raises SizeError for a wafer beyond MOST_CELLS, UnavailableError when a thousand wait.
        """
        check_size(wafer)
        asked = _Asked(wafer, threshold)
        with self._lock:
            if self._gatherer is None:
                self._gatherer = Thread(target=self._serve, name="waferscope-gather", daemon=True)
                self._gatherer.start()
        try:
            self._waiting.put_nowait(asked)
        except Full as error:
            raise UnavailableError(
                "The model has more to do than it can. Try again.", retry_after=1
            ) from error
        return await asyncio.wrap_future(asked.answer)

    def close(self) -> None:
        """Finish what runs, and end the threads."""
        if self._gatherer is not None:
            self._waiting.put(None)
            self._gatherer.join()
        self._runner.shutdown()

    def _serve(self) -> None:
        held: _Asked | None = None
        while True:
            first = held or self._waiting.get()
            if first is None:
                return
            together, held, closing = self._gather(first)
            for threshold in dict.fromkeys(one.threshold for one in together):
                self._answer([one for one in together if one.threshold == threshold], threshold)
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

    def _answer(self, together: Sequence[_Asked], threshold: float | None) -> None:
        still = [one for one in together if one.answer.set_running_or_notify_cancel()]
        if not still:
            return
        run = self._runner.submit(self.predict, [one.wafer for one in still], threshold)
        error = run.exception()
        for number, one in enumerate(still):
            if error is not None:
                one.answer.set_exception(error)
            else:
                one.answer.set_result(run.result()[number])
