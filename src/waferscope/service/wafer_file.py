"""Wafers as blobs: every field of a wafer map in one small file that is quick to open.

A file is MAGIC, the length of its header (uint32, little endian), the header (JSON) and the grids
that it names, each compressed for itself with zstd: dies uint8, bins uint8 or uint16 little endian.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import Bins, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.json_wafer import describe, fields_of

MAGIC: Final = b"WSW1"
_LENGTH: Final = struct.Struct("<I")
_SIDES: Final = ("hard", "soft")


def pack_wafer(wafer: WaferMap) -> bytes:
    """Return the wafer as a file; `unpack_wafer` gives it back, all but ``source.extra``."""
    codec, source = _codec(), wafer.source
    grids, parts = [], []
    for name, grid in _grids(wafer):
        parts.append(codec.compress(grid.tobytes(), asbytes=True))
        grids.append([name, grid.dtype.str, len(parts[-1])])
    header = {
        "wafer": describe(wafer),
        "bins": _bin_names(wafer),
        "grids": grids,
        "notes": list(wafer.notes),
        "source": None if source is None else [source.format, source.name, source.sha256],
    }
    head = _json(header)
    return b"".join([MAGIC, _LENGTH.pack(len(head)), head, *parts])


def unpack_wafer(data: bytes) -> WaferMap:
    """Return the wafer of a file. Raises FormatError for what `pack_wafer` did not make."""
    try:
        return _unpack(data)
    except (ValueError, KeyError, TypeError, struct.error, OSError) as error:
        raise FormatError(
            f"Expected a wafer as it is stored here, got {len(data):,} bytes that are none "
            f"({type(error).__name__}). Restore the blobs from a backup."
        ) from error


def content_of(wafer: WaferMap) -> str:
    """Return the SHA-256 of all that was measured and named; of notes and source nothing.

    Two wafers without a fail have the same dies: only with its names is a wafer the same wafer.
    """
    digest = hashlib.sha256(_json([describe(wafer), _bin_names(wafer)]))
    for name, grid in _grids(wafer):
        digest.update(f"{name}{grid.dtype.str}".encode("ascii"))
        digest.update(grid.tobytes())
    return digest.hexdigest()


def _unpack(data: bytes) -> WaferMap:
    if not data.startswith(MAGIC):
        raise ValueError("another magic")
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    at = len(MAGIC) + _LENGTH.size
    header = json.loads(data[at : at + length])
    at += length
    shape = header["wafer"]["rows"], header["wafer"]["cols"]
    grids: dict[str, npt.NDArray[Any]] = {}
    for name, kind, size in header["grids"]:
        dtype = np.dtype(kind)
        whole = shape[0] * shape[1] * dtype.itemsize
        plain = _codec().decompress(data[at : at + size], whole, asbytes=True)
        grids[name] = np.frombuffer(plain, dtype).reshape(shape)
        at += size
    source, names = header["source"], header["bins"]
    return WaferMap(
        grids["dies"],
        bins=None if names is None else _bins(grids, names),
        notes=tuple(header["notes"]),
        source=None if source is None else Source(*source),
        **fields_of(header["wafer"]),
    )


def _grids(wafer: WaferMap) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the grids by name; bins as bytes where they fit, which they nearly always do."""
    yield "dies", wafer.dies
    for side in _SIDES:
        grid = getattr(wafer.bins, side, None)
        if grid is not None:
            yield side, grid.astype("|u1" if grid.max(initial=0) < 256 else "<u2")


def _bin_names(wafer: WaferMap) -> list[dict[str, str]] | None:
    if wafer.bins is None:
        return None
    tables = (wafer.bins.hard_names, wafer.bins.soft_names)
    return [{str(int(number)): name for number, name in table.items()} for table in tables]


def _bins(grids: dict[str, npt.NDArray[Any]], names: list[dict[str, str]]) -> Bins:
    hard, soft = ({int(number): name for number, name in table.items()} for table in names)
    return Bins(grids.get("hard"), grids.get("soft"), hard, soft)


def _json(value: Any) -> bytes:
    """Return JSON, the same bytes for the same value; NumPy's numbers are written as Python's."""
    return json.dumps(value, sort_keys=True, default=lambda number: number.item()).encode("ascii")


def _codec() -> Any:
    import pyarrow as pa  # 0.1 s to import

    return pa.Codec("zstd", compression_level=1)
