"""Wafer maps in, predictions out, through one onnxruntime session."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, overload

import numpy.typing as npt

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError
from waferscope.infer.batching import Batch, plan_batches, stack
from waferscope.infer.fold import fold_rates
from waferscope.infer.model_file import OUTPUTS, ModelInfo, OpenModel, find_model, open_model
from waferscope.infer.postprocess import RawBatch, build_predictions
from waferscope.processors import available_threads

CHUNK_WAFERS: Final = 256
"""Most wafers that are planned into batches together."""
CHUNK_CELLS: Final = 2**20
"""Cells after which such a chunk is full, to bound memory: 256 wafers at 64 x 64."""

MOST_WORKERS: Final = 4
"""Most batches in the graph at once, to bound memory."""

Feed = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Wafers planned together, and the batches of them that are under way."""

    size: int
    parts: list[tuple[Batch, Future[list[Prediction]]]]

    def collect(self) -> list[Prediction]:
        """Return the predictions in the order of the wafers, once all are there."""
        found: dict[int, Prediction] = {}
        for batch, part in self.parts:
            found.update(zip(batch.indices, part.result(), strict=True))
        return [found[index] for index in range(self.size)]


class Predictor:
    """A model ready to mark wafers. Make one with `load_predictor`; threads may share it.

    A wafer gets the same masks and labels alone, in any company and with any number of threads.
    Maps are predicted as they lie: the notch is information, not an instruction to turn.

    ``workers`` batches are in the graph at once. A convolution shares its work among threads image
    by image, and the pieces of a small image are small: on WM-811K val and 2 cores two batches
    side by side took 1.61 ms of a wafer, one after the other 1.90.
    """

    def __init__(self, opened: OpenModel, workers: int = 1) -> None:
        self._session = opened.session
        self._workers = workers
        self.model: Final[ModelInfo] = opened.info

    @overload
    def predict(self, wafers: WaferMap, *, threshold: float | None = None) -> Prediction: ...

    @overload
    def predict(
        self, wafers: Iterable[WaferMap], *, threshold: float | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, wafers: WaferMap | Iterable[WaferMap], *, threshold: float | None = None
    ) -> Prediction | list[Prediction]:
        """Return the prediction of one wafer, or a list of them in the order of the wafers.

        ``threshold``, 0 to 1, replaces the mask thresholds of all classes. Raises InputError for
        anything but wafer maps. Thousands of wafers are better taken from `predict_stream`, which
        does not hold all their probabilities at once.
        """
        if isinstance(wafers, WaferMap):
            return next(self.predict_stream([wafers], threshold=threshold))
        return list(self.predict_stream(wafers, threshold=threshold))

    def predict_stream(
        self, wafers: Iterable[WaferMap], *, threshold: float | None = None
    ) -> Generator[Prediction, None, None]:
        """Yield predictions in the order of the wafers, holding a few hundred at a time.

        The model already runs on the next wafers while the caller works on a prediction.
        Arguments and errors are those of `predict`.
        """
        thresholds = self._thresholds(threshold)
        if not isinstance(wafers, Iterable) or isinstance(wafers, str | bytes):
            raise _not_a_wafer(wafers)
        return self._stream(_in_chunks(wafers), thresholds)

    def _stream(
        self, chunks: Iterator[list[WaferMap]], thresholds: tuple[float, ...]
    ) -> Generator[Prediction, None, None]:
        first, ahead = next(chunks, None), next(chunks, None)
        if first is None:
            return
        if ahead is None and len(plan := _plan(first)) == 1:  # nothing to share out
            yield from self._predict_batch(plan[0], first, thresholds)
            return
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="waferscope-predict")
        try:
            running = self._start(pool, first, thresholds)
            while ahead is not None:
                following = self._start(pool, ahead, thresholds)
                yield from running.collect()
                running, ahead = following, next(chunks, None)
            yield from running.collect()
        finally:
            pool.shutdown(cancel_futures=True)

    def _start(
        self, pool: ThreadPoolExecutor, wafers: Sequence[WaferMap], thresholds: tuple[float, ...]
    ) -> _Chunk:
        parts = []
        for batch in _plan(wafers):
            members = [wafers[index] for index in batch.indices]
            task = pool.submit(self._predict_batch, batch, members, thresholds)
            parts.append((batch, task))
        return _Chunk(len(wafers), parts)

    def _predict_batch(
        self, batch: Batch, members: Sequence[WaferMap], thresholds: tuple[float, ...]
    ) -> list[Prediction]:
        raw = self._run(self._feed(batch, members))
        return build_predictions(raw, members, self.model, thresholds)

    def _feed(self, batch: Batch, members: Sequence[WaferMap]) -> Feed:
        feed = {"dies": stack([wafer.dies for wafer in members], batch.canvas)}
        if "fold" in self.model.inputs:
            rates = [fold_rates(wafer.dies, wafer.reticle) for wafer in members]
            feed["fold"] = stack(rates, batch.canvas)
        return feed

    def _run(self, feed: Feed) -> RawBatch:
        return RawBatch(*self._session.run(OUTPUTS, feed))

    def _thresholds(self, threshold: float | None) -> tuple[float, ...]:
        own = self.model.mask_thresholds
        if threshold is None:
            return own
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not number or not 0.0 <= threshold <= 1.0:
            raise InputError.build(
                expected="a threshold from 0 to 1",
                got=repr(threshold),
                cure="Give a probability, or None for the thresholds of the model.",
            )
        return (float(threshold),) * len(own)


def load_predictor(
    model: str | Path | None = None,
    threads: int | None = None,
    *,
    providers: Sequence[str] | None = None,
) -> Predictor:
    """Return a predictor for a model file; default: WAFERSCOPE_MODEL, else the released model.

    ``threads`` defaults to the processors this process may use. ``providers`` are onnxruntime's
    execution providers, best first; default: the CPU. Raises ModelError when the file is missing
    or breaks the contract, InputError for threads or providers that cannot be.
    """
    if threads is None:
        threads = available_threads()
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise InputError.build(
            expected="a number of threads of at least 1",
            got=repr(threads),
            cure="Leave it out to use every processor.",
        )
    opened = open_model(find_model(model), threads=threads, providers=providers)
    return Predictor(opened, workers=min(threads, MOST_WORKERS))


def _plan(wafers: Sequence[WaferMap]) -> list[Batch]:
    return plan_batches([wafer.shape for wafer in wafers])


def _in_chunks(wafers: Iterable[WaferMap]) -> Iterator[list[WaferMap]]:
    """Yield runs of at most CHUNK_WAFERS wafers and about CHUNK_CELLS cells, checking each."""
    chunk: list[WaferMap] = []
    cells = 0
    for index, wafer in enumerate(wafers):
        if not isinstance(wafer, WaferMap):
            raise _not_a_wafer(wafer, f" at position {index}")
        chunk.append(wafer)
        cells += wafer.dies.size
        if len(chunk) >= CHUNK_WAFERS or cells >= CHUNK_CELLS:
            yield chunk
            chunk, cells = [], 0
    if chunk:
        yield chunk


def _not_a_wafer(value: object, where: str = "") -> InputError:
    return InputError(
        f"Expected a WaferMap or a sequence of them, got {type(value).__name__}{where}. "
        "Wrap a die grid as WaferMap(dies), or read a file with waferscope.read."
    )
