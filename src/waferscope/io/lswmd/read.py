"""WM-811K wafers out of the frame that LSWMD.pkl holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import Source, WaferMap
from waferscope.errors import FormatError, WaferError
from waferscope.io.archive import Blob
from waferscope.io.formats import ReadOptions
from waferscope.io.lswmd.frame import Column, as_array, as_text, read_frame

_NONE: Final = "none"
_SPLITS: Final = ("trianTestLabel", "trainTestLabel")
_SPOKEN: Final = {"training": "training", "test": "test"}
_LABELS: Final = {label.lower(): label for label in DEFAULT_TAXONOMY.patterns}
# The operations that can open a pickle of an object: a name, a frame, a memoised text, a mark.
_FIRST: Final = b"c\x95\x8c(}]X"


def is_lswmd(head: bytes) -> bool:
    """Tell a pickle of protocol 2 to 5; what it holds is judged when it is read."""
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5 and head[2] in _FIRST


def read_lswmd(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of the frame, with lot, wafer number, label and official split.

    ``source.extra`` holds ``die_size`` (dies, as the file counts them) and ``official_split``
    (training, test, or not there). The frame is held whole: the public file takes some gigabytes.
    Raises FormatError for a pickle of anything else; nothing in it is ever run.
    """
    columns = read_frame(blob.stream, blob.name)
    if blob.cut_short:
        raise FormatError(
            f"Expected a whole file, got {blob.name} damaged ({blob.cut_short}). Fetch it again."
        )
    if "waferMap" not in columns:
        raise FormatError(
            f"Expected a column waferMap in {blob.name}, got {', '.join(columns)[:200]}. "
            "Give LSWMD.pkl as it was published."
        )
    dropped: list[int] = []
    wafers = list(_wafers(columns, blob, dropped))
    if dropped and (options.strict or not wafers):
        raise FormatError(
            f"Expected dies of 0, 1 and 2 in each row of {blob.name}, got {len(dropped):,} rows "
            f"without, the first in row {dropped[0]}. Fetch the file again."
        )
    if dropped:
        note = f"rows without a map of 0, 1 and 2 left out: {len(dropped):,}"
        wafers = [replace(wafer, notes=(*wafer.notes, note)) for wafer in wafers]
    return wafers


def _wafers(columns: dict[str, Column], blob: Blob, dropped: list[int]) -> Iterator[WaferMap]:
    maps = columns["waferMap"]
    empty: Sequence[Any] = [None] * len(maps)
    lots, numbers, sizes, labels = (
        columns.get(name, empty) for name in ("lotName", "waferIndex", "dieSize", "failureType")
    )
    splits = next((columns[name] for name in _SPLITS if name in columns), empty)
    plain = Source("lswmd", blob.name, blob.sha256)
    for row in range(len(maps)):
        label, notes = _label(_text(labels[row]))
        extra = {"die_size": _whole(sizes[row]), "official_split": _split(splits[row])}
        try:
            yield WaferMap(
                as_array(maps[row]),
                wafer_id=f"wm811k-{row:06d}",
                lot_id=_text(lots[row]),
                slot=_whole(numbers[row]),
                patterns=label,
                source=replace(plain, extra={k: v for k, v in extra.items() if v is not None}),
                notes=notes,
            )
        except (WaferError, ValueError, TypeError, IndexError):
            dropped.append(row)


def _text(value: Any) -> str | None:
    try:
        return as_text(value)
    except (ValueError, TypeError, IndexError):
        return None


def _label(text: str | None) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the patterns of a label, and what there is to say about it."""
    if not text:
        return None, ()
    if text.lower() == _NONE:
        return (), ()
    if text.lower() in _LABELS:
        return (_LABELS[text.lower()],), ()
    return None, (f"unknown label left out: {text[:40]}",)


def _split(value: Any) -> str | None:
    return _SPOKEN.get((_text(value) or "").lower())


def _whole(value: Any) -> int | None:
    """Return a number as the whole one that it is; None for none."""
    if isinstance(value, int | float | np.number) and np.isfinite(value) and value == int(value):
        return int(value)
    return None
