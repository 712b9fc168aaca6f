"""Drawing stored wafers, one by one or laid over each other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import NotFoundError
from waferscope.io.image import map_png, overlay_png
from waferscope.report.counts import GridStack
from waferscope.report.figures import heat_png, thumbnail_png
from waferscope.service.pictures.store import Stored
from waferscope.service.predicted.blob import unpack
from waferscope.service.storage import Blobs
from waferscope.service.wafer_file import unpack_wafer

READS_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Stacked:
    """Wafers of one grid laid over each other, notches down; ``left_out`` had other grids."""

    stack: GridStack
    left_out: int


def open_wafer(blobs: Blobs, stored: Stored) -> WaferMap:
    """Return a stored wafer. Raises NotFoundError when its blob is gone."""
    return unpack_wafer(blobs.get(stored.blob))


def open_prediction(blobs: Blobs, stored: Stored) -> Prediction | None:
    """Return the last prediction of a stored wafer; None if it has none."""
    if not stored.prediction_blob:
        return None
    return unpack(blobs.get(stored.prediction_blob), open_wafer(blobs, stored))


def draw_wafer(blobs: Blobs, stored: Stored, *, overlay: bool = True) -> bytes:
    """Return a page about a wafer as a PNG: with what was found on it, where that is known."""
    prediction = open_prediction(blobs, stored) if overlay else None
    return map_png(open_wafer(blobs, stored)) if prediction is None else overlay_png(prediction)


def draw_thumbnail(blobs: Blobs, stored: Stored, side: int) -> bytes:
    """Return a wafer as a small PNG; its dies have the colours of the classes found."""
    prediction = open_prediction(blobs, stored)
    if prediction is None:
        return thumbnail_png(open_wafer(blobs, stored).dies, side=side)
    colors = [one.color for one in prediction.taxonomy.classes]
    return thumbnail_png(prediction.wafer.dies, prediction.masks, colors, side)


def stack_wafers(wafers: Iterable[WaferMap]) -> Stacked:
    """Lay wafers of the commonest grid over each other. Raises NotFoundError for no wafers."""
    stacks: dict[tuple[int, int], GridStack] = {}
    count = 0
    for wafer in wafers:
        turned = wafer.notch_down()
        stacks.setdefault(turned.shape, GridStack.empty(turned.shape)).add(turned.dies)
        count += 1
    if not stacks:
        raise NotFoundError("Expected at least one wafer to stack, got none. Widen the filter.")
    commonest = max(stacks.values(), key=lambda stack: stack.wafers)
    return Stacked(commonest, count - commonest.wafers)


def stack_stored(blobs: Blobs, stored: Sequence[Stored]) -> Stacked:
    """Lay stored wafers over each other, reading some at a time."""
    return stack_wafers(_open_all(blobs, stored))


def stack_json(stacked: Stacked) -> bytes:
    """Return a stacked map as numbers; see `pictures.schemas.StackShown`."""
    stack = stacked.stack
    rows, cols = stack.tested.shape
    shown = {
        "rows": rows,
        "cols": cols,
        "wafers": stack.wafers,
        "left_out": stacked.left_out,
        "top": _top(stack),
        "tested": stack.tested.tolist(),
        "fails": stack.fails.tolist(),
    }
    return json.dumps(shown, separators=(",", ":")).encode("ascii")


def stack_png(stacked: Stacked, side: int) -> bytes:
    """Return a stacked map as a PNG, from no fails to the highest fail rate, in viridis."""
    return heat_png(stacked.stack.rates, _top(stacked.stack), side)


def _top(stack: GridStack) -> float:
    return float(np.nanmax(stack.rates)) if stack.tested.any() else 0.0


def _open_all(blobs: Blobs, stored: Sequence[Stored]) -> Iterator[WaferMap]:
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="waferscope-read") as pool:
        for start in range(0, len(stored), READS_AT_ONCE):
            some = stored[start : start + READS_AT_ONCE]
            yield from pool.map(lambda one: open_wafer(blobs, one), some)
