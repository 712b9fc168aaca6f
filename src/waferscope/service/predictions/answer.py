"""Predictions as JSON: out of the cache, from what is kept, or from the model."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import SizeError
from waferscope.service.auth.identity import Identity
from waferscope.service.etag import tag_of
from waferscope.service.parts import Parts
from waferscope.service.predicted.blob import unpack
from waferscope.service.predicted.draft import Choices, Draft, draft
from waferscope.service.predicted.keep import keep
from waferscope.service.predictions import store
from waferscope.service.predictions.schemas import Options, Rendering
from waferscope.service.predictions.store import Stored
from waferscope.service.store import record
from waferscope.service.wafer_file import unpack_wafer

CACHED_S: Final = 24 * 3600
MOST_CACHED: Final = 100_000
"""Bytes, compressed, of what is worth caching: 2,000 of them fit into memory."""
MOST_CELLS: Final = 1 << 21
"""Cells of all wafers of one request: their probabilities take 32 bytes each."""
SHORT_BYTES: Final = 10_000
"""Below this, work on an answer or a question is done in less time than a thread takes to begin."""
SMALL_CELLS: Final = 64 * 64
"""Up to this, a record is made in a millisecond: threads that wait for each other cost more."""
KIND: Final = "prediction"


def key_of(subject: str, version: str, options: Rendering) -> str:
    """Return the key of an answer: what was predicted, by which model, with which options."""
    return f"{KIND}:{tag_of(subject, version, options.model_dump_json(exclude={'model'}))}"


def render(prediction: Prediction, options: Rendering) -> bytes:
    """Return the record of a prediction as JSON, without what is not wanted."""
    found = prediction.to_dict(polygons=options.polygons)
    if options.masks == "none":
        del found["masks"]
    if not options.metrics:
        del found["metrics"]
    return json.dumps(found, separators=(",", ":")).encode("ascii")


async def look_up(house: Parts, key: str) -> bytes | None:
    """Return what is cached under the key."""
    found = await house.cache.get(key)
    house.figures.cache_reads.labels(KIND, "yes" if found else "no").inc()
    return zlib.decompress(found) if found else None


async def remember(house: Parts, key: str, data: bytes) -> None:
    """Cache an answer, unless it is large."""
    short = len(data) < SHORT_BYTES
    small = zlib.compress(data, 1) if short else await run_in_threadpool(zlib.compress, data, 1)
    if len(small) <= MOST_CACHED:
        await house.cache.set(key, small, CACHED_S)


async def answer_stored(
    house: Parts, ids: Sequence[str], options: Options, version: str
) -> tuple[bytes, str]:
    """Return the answer for stored wafers, and its tag. Raises NotFoundError for unknown ids."""
    choices = Choices(options.threshold)
    found = await house.records.lookups.run(_find, house, ids, version, choices)
    found_records = await asyncio.gather(*(_record(house, one, options, version) for one in found))
    keys = [key_of(one.wafer_id, version, options) for one in found]
    items = [item(one, data) for one, data in zip(found, found_records, strict=True)]
    return _whole(version, items), tag_of(*keys)


async def answer_given(
    house: Parts, wafers: Sequence[WaferMap], options: Options, version: str
) -> bytes:
    """Return the answer for wafers that are not stored."""
    check_cells(wafers)
    given = await asyncio.gather(*(_predicted(house, wafer, options) for wafer in wafers))
    return _whole(version, [item(None, one) for one in given])


def check_cells(wafers: Sequence[WaferMap]) -> None:
    """Raise SizeError for more than one request may ask for."""
    cells = sum(wafer.dies.size for wafer in wafers)
    if cells > MOST_CELLS:
        raise SizeError(
            f"Expected at most {MOST_CELLS:,} cells in all wafers of a request, got {cells:,}. "
            "Ask for fewer wafers at a time, or upload them and ask for a batch."
        )


def item(wafer: Stored | None, found: bytes) -> bytes:
    """Return a record that is JSON already, with the ids of its wafer and of itself."""
    ids = [None, None] if wafer is None else [wafer.wafer_id, wafer.prediction_id]
    wafer_id, prediction_id = (json.dumps(one).encode() for one in ids)
    return b'{"wafer_map_id":%b,"prediction_id":%b,"prediction":%b}' % (
        wafer_id,
        prediction_id,
        found,
    )


def _whole(version: str, items: Sequence[bytes]) -> bytes:
    model = json.dumps(version).encode()
    return b'{"model_version":%b,"predictions":[%b]}' % (model, b",".join(items))


async def keep_stored(
    house: Parts, who: Identity, ids: Sequence[str], options: Options, version: str
) -> None:
    """Predict stored wafers that have no kept prediction under these options, and keep it."""
    choices = Choices(options.threshold)
    found = await house.records.lookups.run(_find, house, ids, version, choices)
    drafts = await asyncio.gather(
        *(_draft(house, who, one, choices) for one in found if one.prediction_id is None)
    )
    if drafts:
        await run_in_threadpool(_keep, house, who, drafts)


async def _draft(house: Parts, who: Identity, stored: Stored, choices: Choices) -> Draft:
    wafer = await run_in_threadpool(load_wafer, house, stored)
    prediction = await house.engine.predict_one(wafer, choices.threshold)
    return await run_in_threadpool(
        draft, house.blobs, stored.wafer_id, who.user_id, prediction, choices
    )


def _keep(house: Parts, who: Identity, drafts: Sequence[Draft]) -> None:
    with house.records.writing() as session:
        kept = keep(session, house.queue, drafts)
        for wafer_id, prediction_id in kept.items():
            record(session, who, "predictions.store", prediction_id, wafer=wafer_id)


def _find(house: Parts, ids: Sequence[str], version: str, choices: Choices) -> list[Stored]:
    with house.records.looking() as connection:
        return store.stored_wafers(connection, ids, version, choices)


def load_wafer(house: Parts, stored: Stored) -> WaferMap:
    """Return the wafer map of a stored wafer."""
    return unpack_wafer(house.blobs.get(stored.blob))


def load_kept(house: Parts, stored: Stored, options: Rendering) -> bytes:
    """Return the record of a kept prediction."""
    assert stored.prediction_blob is not None
    prediction = unpack(house.blobs.get(stored.prediction_blob), load_wafer(house, stored))
    return render(prediction, options)


async def _record(house: Parts, stored: Stored, options: Options, version: str) -> bytes:
    key = key_of(stored.wafer_id, version, options)
    found = await look_up(house, key)
    if found is not None:
        return found
    if stored.prediction_blob is not None:
        data = await run_in_threadpool(load_kept, house, stored, options)
    else:
        data = await _predicted(house, await run_in_threadpool(load_wafer, house, stored), options)
    await remember(house, key, data)
    return data


async def _predicted(house: Parts, wafer: WaferMap, options: Options) -> bytes:
    prediction = await house.engine.predict_one(wafer, options.threshold)
    if wafer.dies.size <= SMALL_CELLS and not options.polygons:
        return render(prediction, options)
    return await house.rendering.run(render, prediction, options)
