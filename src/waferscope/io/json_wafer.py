"""Wafers as JSON: every field of a wafer map, readable by people and by any program.

A file is one record or a list of them. ``dies`` has one text of digits per row (0 no die, 1 pass,
2 fail); bins have one text of numbers per row, parted by blanks. The other keys are the fields of
`WaferMap`. Of foreign files ``dies`` is enough, as texts or as lists of numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import MAX_SIDE, Bins, Frame, Reticle, Source, WaferMap
from waferscope.errors import FormatError, WaferError
from waferscope.io.archive import NAMELESS, Blob
from waferscope.io.formats import ReadOptions
from waferscope.io.json_text import load_json

SCHEMA: Final = "waferscope.wafer/1"
"""Name and version of the record."""
_PREDICTION: Final = b'"waferscope.prediction/'
_TEXTS: Final = ("lot_id", "product", "step", "tester")
_SIZES: Final = ("die_width_mm", "die_height_mm", "diameter_mm")
_OTHERS: Final = ("slot", "tested_at", "rows", "cols", "notch", "centre", "frame", "reticle")
_KNOWN: Final = frozenset(
    (
        *("schema", "wafer_id", *_TEXTS, *_SIZES, *_OTHERS),
        *("patterns", "dies", "bins", "notes", "source"),
    )
)
_SIDES: Final = ("hard", "soft")


def is_json_wafer(head: bytes) -> bool:
    """Tell JSON of wafers by its start and its schema, or by a key ``dies``; predictions too."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    marks = (b'"waferscope.wafer/', b'"dies"', _PREDICTION)
    return start.startswith((b"{", b"[")) and any(mark in head for mark in marks)


def read_json_wafers(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of a JSON file, with the notes that were written into it.

    Where they came from at first is in ``source.extra``. Raises FormatError for what is no JSON,
    a record that is no wafer, and for predictions, which carry no dies.
    """
    if _PREDICTION in blob.head:
        raise FormatError(
            f"Expected wafers, got {blob.name} with predictions, which carry no dies. "
            "Read the file that they were made from."
        )
    found = load_json(blob)
    records = found if isinstance(found, list) else [found]
    wafers = []
    for number, record in enumerate(records):
        try:
            wafers.append(wafer_of_record(record, blob))
        except (WaferError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise FormatError(
                f"Expected a wafer in record {number} of {blob.name}, got one that is not "
                f"({type(error).__name__}: {str(error)[:200]}). Compare it with docs/formats.md."
            ) from error
    return wafers


def record_of(wafer: WaferMap) -> dict[str, Any]:
    """Return a wafer as a JSON-ready record; `wafer_of_record` reads it back."""
    source, bins = wafer.source, wafer.bins
    record: dict[str, Any] = {"schema": SCHEMA, **describe(wafer)}
    digits = (wafer.dies + ord("0")).astype(np.uint8)
    record["dies"] = [row.tobytes().decode("ascii") for row in digits]
    if bins is not None:
        record["bins"] = {}
        for side in _SIDES:
            grid, names = getattr(bins, side), getattr(bins, f"{side}_names")
            rows = None if grid is None else [" ".join(map(str, row)) for row in grid.tolist()]
            record["bins"][side] = rows
            record["bins"][f"{side}_names"] = {str(int(n)): name for n, name in names.items()}
    record["notes"] = list(wafer.notes)
    if source is not None:
        record["source"] = {"format": source.format, "name": source.name, "sha256": source.sha256}
    return record


def describe(wafer: WaferMap) -> dict[str, Any]:
    """Return the fields of a wafer that are plain values; the inverse of `fields_of`."""
    fields: dict[str, Any] = {"wafer_id": wafer.wafer_id}
    fields |= {name: getattr(wafer, name) for name in (*_TEXTS, "slot")}
    fields["tested_at"] = None if wafer.tested_at is None else wafer.tested_at.isoformat()
    fields |= {"rows": wafer.shape[0], "cols": wafer.shape[1]}
    fields |= {name: getattr(wafer, name) for name in _SIZES}
    fields["notch"] = wafer.notch
    fields["centre"] = None if wafer.centre is None else list(wafer.centre)
    fields["frame"] = asdict(wafer.frame)
    fields["reticle"] = None if wafer.reticle is None else asdict(wafer.reticle)
    fields["patterns"] = None if wafer.patterns is None else list(wafer.patterns)
    return {name: value for name, value in fields.items() if value is not None}


def fields_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords for `WaferMap` from the plain values of a record.

    Raises TypeError or ValueError for a value of another kind.
    """
    given = {
        name: _of_kind(record[name], kinds, name)
        for names, kinds in (
            (("wafer_id", *_TEXTS, "notch"), str),
            (("slot",), int),
            (_SIZES, (int, float)),
        )
        for name in names
        if record.get(name) is not None
    }
    if record.get("tested_at") is not None:
        moment = _of_kind(record["tested_at"], str, "tested_at")
        given["tested_at"] = datetime.fromisoformat(moment)
    kinds_of: tuple[tuple[str, Any], ...] = (("frame", Frame), ("reticle", Reticle))
    for name, kind in kinds_of:
        if record.get(name) is not None:
            given[name] = kind(**_numbers(_of_kind(record[name], dict, name), name))
    if record.get("centre") is not None:
        centre = _of_kind(record["centre"], list, "centre")
        given["centre"] = tuple(_of_kind(value, (int, float), "centre") for value in centre)
    if record.get("patterns") is not None:
        given["patterns"] = tuple(_strings(record["patterns"], "patterns"))
    return given


def wafer_of_record(record: Any, blob: Blob) -> WaferMap:
    """Return the wafer of a record; raise a WaferError, TypeError, KeyError or ValueError."""
    record = _of_kind(record, dict, "a record")
    schema = record.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise ValueError(f"schema {schema!r:.60} where {SCHEMA} can be read")
    given = fields_of(record)
    given["notes"] = tuple(_strings(record.get("notes") or [], "notes"))
    unread = sorted(str(name)[:40] for name in record.keys() - _KNOWN)
    if unread:
        given["notes"] += (f"fields not read: {', '.join(unread[:20])}",)
    before = record.get("source")
    extra = {} if before is None else {"source": _of_kind(before, dict, "source")}
    dies = _dies(record["dies"])
    for name, side in zip(("rows", "cols"), dies.shape, strict=False):
        if record.get(name, side) != side:
            raise ValueError(f"{name} {record[name]!r:.20} beside dies of {dies.shape}")
    source = Source("json", "" if blob.name == NAMELESS else blob.name, blob.sha256, extra)
    return WaferMap(dies, bins=_bins(record.get("bins")), source=source, **given)


def json_wafer_row(wafer: WaferMap) -> bytes:
    """Return one wafer as a line of JSON."""
    return json.dumps(record_of(wafer), allow_nan=False, default=_plain).encode("ascii")


def _plain(value: Any) -> Any:
    """Return a NumPy number as Python's own."""
    return value.item()


def _dies(rows: Any) -> npt.NDArray[Any]:
    rows = _of_kind(rows, list, "dies")
    if len(rows) > MAX_SIDE or any(len(row) > MAX_SIDE for row in rows):
        raise ValueError(f"more than {MAX_SIDE} rows or columns of dies")
    if not all(isinstance(row, str) for row in rows):
        return np.array(rows)
    if len({len(row) for row in rows}) != 1:
        raise ValueError("rows of dies of different lengths")
    flat = np.frombuffer("".join(rows).encode("ascii"), np.uint8)
    return (flat - ord("0")).reshape(len(rows), -1)  # what is no digit wraps around, and is refused


def _bins(record: Any) -> Bins | None:
    if record is None:
        return None
    record = _of_kind(record, dict, "bins")
    grids: list[Any] = []
    names: list[dict[int, str]] = []
    for side in _SIDES:
        rows = record.get(side)
        grids.append(None if rows is None else _bin_grid(_strings(rows, side)))
        table = _of_kind(record.get(f"{side}_names") or {}, dict, f"{side}_names")
        names.append({int(n): _of_kind(name, str, "a bin's name") for n, name in table.items()})
    return Bins(grids[0], grids[1], names[0], names[1])


def _bin_grid(rows: Sequence[str]) -> Any:
    if len(rows) > MAX_SIDE or any(len(row) > 8 * MAX_SIDE for row in rows):
        raise ValueError(f"more than {MAX_SIDE} rows or columns of bins")
    return np.array([np.array(row.split(), dtype=np.int64) for row in rows])


def _of_kind(value: Any, kinds: Any, name: str) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{name} of type {type(value).__name__}")
    return value


def _strings(values: Any, name: str) -> list[str]:
    return [_of_kind(value, str, name) for value in _of_kind(values, list, name)]


def _numbers(record: dict[str, Any], name: str) -> dict[str, int | bool]:
    for key, value in record.items():
        if not isinstance(value, int) or abs(value) > 1 << 40:
            raise TypeError(f"{key} of {name} of type {type(value).__name__}")
    return record
