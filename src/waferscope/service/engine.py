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

import structlog

from waferscope.errors import ModelError, NotFoundError, SizeError, UnavailableError
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
_log = structlog.get_logger()


def check_size(wafer: WaferMap) -> None:
    """Raise SizeError for a wafer that would take more memory than a server has to spare."""
    if wafer.dies.size > MOST_CELLS:
        raise SizeError(
            f"Expected a wafer of at most {MOST_CELLS:,} cells, got {wafer.dies.size:,}. "
            "Predict it with `waferscope predict`."
        )


_Stamp = tuple[int, ...]


def _stamp_of(model: Path | None) -> _Stamp:
    """Return what is another one when the file of a model changes; empty without a file."""
    from waferscope.infer.model_file import find_model

    try:
        found = find_model(model).stat()
    except (ModelError, OSError):
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


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
        self._refused: _Stamp | None = None
        self._lock: Final = Lock()
        self._whole: Final = Lock()
        lanes = min(self._threads, MOST_LANES)
        self._gatherer: Final = Gatherer(self._run_together, lanes, gather_ms / 1000)

    @property
    def predictor(self) -> Predictor:
        """The open model. Raises UnavailableError when its file cannot be used."""
        return self._predictor(self._threads)

    def _predictor(self, threads: int) -> Predictor:
        found = self._open.get(threads)
        if found is None:
            with self._lock:
                found = self._open.get(threads) or self._load(threads)
                self._open[threads] = found
        return found

    def _load(self, threads: int) -> Predictor:
        """Open the file; one that was refused is not tried again until it has changed.

        Where the file lies and what is wrong with it is for the log, not for those who ask.
        """
        from waferscope.infer import load_predictor

        cause: ModelError | None = None
        stamp = _stamp_of(self._model)
        if stamp != self._refused:
            try:
                return load_predictor(self._model, threads)
            except ModelError as error:
                _log.error("model refused", cause=str(error))
                self._refused, cause = stamp, error
        name = "the released one" if self._model is None else repr(self._model.name)
        raise UnavailableError(
            f"Expected a model to predict with, got {name}, which cannot be opened. "
            "The log of the server says why."
        ) from cause

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
