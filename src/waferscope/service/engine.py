"""The model of the house: opened at its first use, for all that a process predicts.

Wafers at rest run with all threads. Small single ones run in company, in lanes of one thread each
beside each other: threads that share the work on a small image mostly wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from waferscope.errors import NotFoundError, SizeError
from waferscope.processors import available_threads
from waferscope.service.gather import Gatherer
from waferscope.service.telemetry import Figures

if TYPE_CHECKING:  # onnxruntime is loaded when the model is opened, not with the app
    from waferscope.domain.prediction import Prediction
    from waferscope.domain.wafermap import WaferMap
    from waferscope.infer import ModelInfo, Predictor

MOST_CELLS: Final = 1 << 20
"""Most cells of one wafer: the model takes about 0.6 kB of memory for each."""
SMALL_CELLS: Final = 64 * 64
"""Up to this, a wafer takes less time on one thread than two take to share it."""
MOST_LANES: Final = 4
NO_PATTERN: Final = "none"


def check_size(wafer: WaferMap) -> None:
    """Raise SizeError for a wafer that would take more memory than a server has to spare."""
    if wafer.dies.size > MOST_CELLS:
        raise SizeError(
            f"Expected a wafer of at most {MOST_CELLS:,} cells, got {wafer.dies.size:,}. "
            "Predict it with `waferscope predict`."
        )


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
        self._threads: Final = threads or available_threads()
        self._open: Final[dict[int, Predictor]] = {}
        self._lock: Final = Lock()
        self._whole: Final = Lock()
        lanes = min(self._threads, MOST_LANES)
        self._gatherer: Final = Gatherer(self._run_together, lanes, gather_ms / 1000)

    @property
    def predictor(self) -> Predictor:
        """The open model. Raises ModelError when its file cannot be used."""
        return self._predictor(self._threads)

    def _predictor(self, threads: int) -> Predictor:
        with self._lock:
            if threads not in self._open:
                from waferscope.infer import load_predictor

                self._open[threads] = load_predictor(self._model, threads)
            return self._open[threads]

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
        if self._threads not in self._open:
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
        return self._count(self.predictor.predict(wafers, threshold=threshold))

    async def predict_one(self, wafer: WaferMap, threshold: float | None = None) -> Prediction:
        """Return the prediction of one wafer, run in the company of others that wait.

        Raises SizeError for a wafer beyond MOST_CELLS, UnavailableError when a thousand wait.
        """
        check_size(wafer)
        return await self._gatherer.ask(wafer, threshold)

    def close(self) -> None:
        """Finish what runs, and end the threads."""
        self._gatherer.close()

    def _run_together(
        self, wafers: Sequence[WaferMap], threshold: float | None
    ) -> Sequence[Prediction]:
        """Predict small wafers on one thread; others on all of them, one company at a time."""
        if max(wafer.dies.size for wafer in wafers) <= SMALL_CELLS:
            return self._count(self._predictor(1).predict(wafers, threshold=threshold))
        with self._whole:
            return self.predict(wafers, threshold)

    def _count(self, found: list[Prediction]) -> list[Prediction]:
        self._figures.batch_sizes.observe(len(found))
        for prediction in found:
            for label in prediction.labels or [NO_PATTERN]:
                self._figures.predictions.labels(label, prediction.model_version).inc()
        return found
