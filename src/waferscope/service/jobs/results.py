"""The files of a batch's results, written in one pass over its kept predictions."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from waferscope.domain.prediction import Prediction
from waferscope.errors import FullError, NotFoundError, UnavailableError, WaferScopeError
from waferscope.io.results import csv_bytes
from waferscope.service.batches import store
from waferscope.service.batches.store import Settled
from waferscope.service.jobs.sinks import SINKS, Mark, Sink
from waferscope.service.jobs.steps import house
from waferscope.service.predicted.blob import unpack
from waferscope.service.storage import FAILURES, export_name
from waferscope.service.wafer_file import unpack_wafer

AT_A_TIME: Final = 256
_SINCE: Final = "It was deleted before the results were written."
Failure = tuple[int, str, str]


def write_results(batch_id: str) -> dict[str, str]:
    """Write the files that a batch asks for; return their blobs by format.

    Wafers that failed, or cannot be read any more, are listed in one more file, ``failures``.
    Writing them again replaces them. Nothing is written of a batch that was cancelled or deleted
    meanwhile.
    """
    with house().records.reading() as session:
        batch = store.open_batch(session, batch_id)
    formats = batch.request["formats"] if batch else []
    failures: list[Failure] = []
    with _disk(), tempfile.TemporaryDirectory(prefix="waferscope-") as folder:
        sinks: dict[str, Sink] = {name: SINKS[name](Path(folder)) for name in formats}
        count = 0
        for mark, prediction in _predictions(batch_id, failures):
            count += 1
            for sink in sinks.values():
                sink.add(mark, prediction)
        listed = csv_bytes(("position", "wafer_map_id", "error"), failures)
        files = {name: sink.close(listed) for name, sink in sinks.items()} if count else {}
        if failures:
            files[FAILURES] = Path(folder, FAILURES)
            files[FAILURES].write_bytes(listed)
        if not _goes_on(batch_id):
            return {}
        return {name: _put(batch_id, name, path) for name, path in files.items()}


def discard_results(batch_id: str) -> None:
    """Delete the files of a batch that did not come to its end, whichever were put by then."""
    for name in (*SINKS, FAILURES):
        house().blobs.delete(export_name(batch_id, name))


def _goes_on(batch_id: str) -> bool:
    with house().records.reading() as session:
        return store.open_batch(session, batch_id) is not None


def _put(batch_id: str, name: str, path: Path) -> str:
    blob = export_name(batch_id, name)
    house().blobs.put_file(blob, path)
    return blob


def _predictions(batch_id: str, failures: list[Failure]) -> Iterator[tuple[Mark, Prediction]]:
    """Yield the kept predictions of a batch; write into ``failures`` which there are not, and why.

    Nothing more is yielded of a batch that was cancelled or deleted meanwhile.
    """
    after = -1
    while True:
        with house().records.reading() as session:
            if store.open_batch(session, batch_id) is None:
                return
            items = store.settled_items(session, batch_id, after, AT_A_TIME)
        for item in items:
            after = item.position
            try:
                yield _mark(item), _prediction(item)
            except UnavailableError:
                raise
            except WaferScopeError as error:
                failures.append((item.position, item.wafer_id, item.error or str(error)))
        if not items:
            return


def _mark(item: Settled) -> Mark:
    return Mark(item.position, item.wafer_id, item.prediction_id or "")


def _prediction(item: Settled) -> Prediction:
    if item.wafer_blob is None or item.prediction_blob is None:
        raise NotFoundError(_SINCE)
    wafer = unpack_wafer(house().blobs.get(item.wafer_blob))
    return unpack(house().blobs.get(item.prediction_blob), wafer)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise FullError(
            f"Expected room for results in {tempfile.gettempdir()}, got none. Free some."
        ) from error
