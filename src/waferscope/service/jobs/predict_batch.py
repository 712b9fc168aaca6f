"""The job that predicts a batch, some wafers a step: nothing twice, nothing lost, none dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import structlog
from dbos import error as dbos_errors
from sqlalchemy.orm import Session

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import NotFoundError, UnavailableError, WaferScopeError
from waferscope.service.batches import store
from waferscope.service.batches.store import Waiting
from waferscope.service.events import announce
from waferscope.service.jobs.results import discard_results, write_results
from waferscope.service.jobs.steps import house, run_step
from waferscope.service.predicted.draft import Choices, Draft, draft
from waferscope.service.predicted.keep import keep
from waferscope.service.tables import Batch
from waferscope.service.tables.row import now
from waferscope.service.wafer_file import unpack_wafer

WAFERS_PER_STEP: Final = 64
EVENT: Final = "batch.done"
FAULT: Final = "Something went wrong in the worker; its log has the rest."
_log = structlog.get_logger()
Loaded = tuple[Waiting, WaferMap]


def predict_batch(batch_id: str) -> str:
    """Predict the wafers of a batch, write its files and tell webhooks; return its last state."""
    with _Ending(batch_id):
        total = run_step("start", start_batch, batch_id)
        for first in range(0, total, WAFERS_PER_STEP):
            if not run_step(f"wafers from {first}", predict_wafers, batch_id, first):
                return store.CANCELLED
        if total:
            results = run_step("write results", write_results, batch_id)
            run_step("finish", finish_batch, batch_id, results)
    return store.DONE


class _Ending:
    """Marks a batch as failed when its job ends by an error; not when another worker has it."""

    def __init__(self, batch_id: str) -> None:
        self._batch_id: Final = batch_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        lasting = isinstance(error, dbos_errors.DBOSMaxStepRetriesExceeded)
        if isinstance(error, Exception) and (
            lasting or not isinstance(error, dbos_errors.DBOSException)
        ):
            _log.error("batch failed", batch=self._batch_id, exc_info=error)
            why = str(error) if isinstance(error, WaferScopeError) or lasting else FAULT
            run_step("fail", fail_batch, self._batch_id, why)


def start_batch(batch_id: str) -> int:
    """Begin a batch; return how many wafers it has, 0 when it is not to be done any more."""
    with house().records.writing() as session:
        batch = store.open_batch(session, batch_id, hold=True)
        if batch is None:
            return 0
        batch.model_version = house().engine.version(batch.request["model"])
        batch.state = store.RUNNING
        batch.started_at = batch.started_at or now()
        return batch.total


def predict_wafers(batch_id: str, first: int) -> bool:
    """Predict those of one step's wafers that still wait; return whether the batch goes on.

    What was predicted when the batch is cancelled is kept: its blobs are there by then.
    """
    with house().records.reading() as session:
        batch = store.open_batch(session, batch_id)
        waiting = store.waiting_items(session, batch_id, first, WAFERS_PER_STEP)
    if batch is None:
        return False
    house().engine.version(batch.model_version)
    failed: dict[int, str] = {}
    loaded = list(_load(waiting, failed))
    drafts = {
        item.position: _draft(batch, item, prediction)
        for item, prediction in _predict(loaded, batch.request["threshold"], failed)
    }
    with house().records.writing() as session:
        batch = store.find_batch(session, batch_id, hold=True)
        kept = keep(session, house().queue, list(drafts.values()))
        if batch is None:
            return False
        done = {at: kept[one.wafer_id] for at, one in drafts.items() if one.wafer_id in kept}
        failed |= dict.fromkeys(drafts.keys() - done.keys(), _GONE)
        store.settle(session, batch, done, failed)
        return batch.state in store.OPEN


_GONE: Final = "There is no such wafer, or it was deleted."


def _load(waiting: Sequence[Waiting], failed: dict[int, str]) -> Iterator[Loaded]:
    """Yield wafers with their maps; write into ``failed`` why others have none."""
    for item in waiting:
        try:
            if item.blob is None:
                raise NotFoundError(_GONE)
            yield item, unpack_wafer(house().blobs.get(item.blob))
        except UnavailableError:
            raise
        except WaferScopeError as error:
            failed[item.position] = str(error)


def _predict(
    loaded: Sequence[Loaded], threshold: float | None, failed: dict[int, str]
) -> Iterator[tuple[Waiting, Prediction]]:
    """Yield predictions; where some wafers fail together, each is tried alone."""
    try:
        found = house().engine.predict([wafer for _, wafer in loaded], threshold)
    except UnavailableError:
        raise
    except WaferScopeError as error:
        if len(loaded) == 1:
            failed[loaded[0][0].position] = str(error)
            return
        for one in loaded:
            yield from _predict([one], threshold, failed)
        return
    yield from ((item, preds) for (item, _), preds in zip(loaded, found, strict=True))


def _draft(batch: Batch, item: Waiting, prediction: Prediction) -> Draft:
    choices = Choices(batch.request["threshold"])
    return draft(house().blobs, item.wafer_id, batch.user_id, prediction, choices)


def finish_batch(batch_id: str, results: dict[str, str]) -> None:
    """End a batch with the files of its results, and tell whoever wants to know.

    Of a batch that was cancelled or deleted while they were put, the files go.
    """
    with house().records.writing() as session:
        batch = store.find_batch(session, batch_id, hold=True)
        if batch is not None and batch.state in store.OPEN:
            _end_with(session, batch, results)
    if batch is None or batch.state != store.DONE:
        discard_results(batch_id)


def _end_with(session: Session, batch: Batch, results: dict[str, str]) -> None:
    batch.results = results
    store.end(session, batch, store.DONE)
    payload = {
        "batch_id": batch.id,
        "total": batch.total,
        "done": batch.done,
        "failed": batch.failed,
        "model_version": batch.model_version,
    }
    announce(session, house().queue, EVENT, payload)


def fail_batch(batch_id: str, why: str) -> None:
    """End a batch that cannot be done, and say why; files that were put by then go."""
    with house().records.writing() as session:
        batch = store.find_batch(session, batch_id, hold=True)
        if batch is not None:
            store.end(session, batch, store.FAILED, why)
    if batch is None or batch.state != store.DONE:
        discard_results(batch_id)
