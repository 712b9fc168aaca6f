"""MixedWM38 as published: an .npz of maps ``arr_0`` [N, 52, 52] and labels ``arr_1`` [N, 8].

Source: J. Wang et al., IEEE Trans. Semiconductor Manufacturing 33(4), 2020. The columns of the
labels stand in the order of that paper's patterns C2 to C9, which is the one of ``LABELS``.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, MAX_SIDE, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.formats import ReadOptions
from waferscope.io.npy import read_header

LABELS: Final = (
    "Center",
    "Donut",
    "Edge-Loc",
    "Edge-Ring",
    "Loc",
    "Near-full",
    "Scratch",
    "Random",
)
STRAY: Final = 3
"""A value that a few dies of the published file have and no page explains: not a pass."""
_MAX_CELLS: Final = 192 << 20
_CHUNK: Final = 8 << 20
# What zipfile raises on damaged members; RuntimeError: one with a password.
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)
Array = npt.NDArray[Any]


def is_mixedwm38(head: bytes) -> bool:
    """Tell an npz whose arrays were given no names."""
    length = int.from_bytes(head[26:28], "little")
    named = head[30 : 30 + length] in (b"arr_0.npy", b"arr_1.npy")
    return head.startswith(b"PK\x03\x04") and named


def read_mixedwm38(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers with their labels; the stray value 3 counts as a fail and is in the notes.

    Raises FormatError for arrays of other shapes or values, and for a damaged file.
    """
    try:
        with zipfile.ZipFile(blob.seekable()) as archive:
            maps, labels = (_read_array(archive, name) for name in ("arr_0.npy", "arr_1.npy"))
            return _wafers(maps, labels, blob)
    except _DAMAGE as error:
        raise FormatError(
            "Expected MixedWM38 (arr_0: maps [N, rows, cols] of 0 to 3; arr_1: labels [N, 8] of "
            f"0 and 1), got {blob.name} with {type(error).__name__}: {str(error)[:120]}. "
            "Fetch the file again, or name the arrays as docs/formats.md has them."
        ) from error


def _wafers(maps: Array, labels: Array, blob: Blob) -> list[WaferMap]:
    blob.check_wafers(len(maps))
    if maps.ndim != 3 or labels.shape != (len(maps), len(LABELS)) or not maps[0].size > 0:
        raise ValueError(f"arrays of shapes {maps.shape} and {labels.shape}")
    if max(maps.shape[1:]) > MAX_SIDE or maps.max() > STRAY or labels.max() > 1:
        raise ValueError("values of another kind")
    source = Source("mixedwm38", blob.name, blob.sha256)
    found: list[WaferMap] = []
    for number, (dies, row) in enumerate(zip(maps, labels.astype(bool), strict=True)):
        stray = int(np.count_nonzero(dies == STRAY))
        found.append(
            WaferMap(
                np.minimum(dies, FAIL) if stray else dies,
                wafer_id=f"mixedwm38-{number:05d}",
                patterns=tuple(name for name, has in zip(LABELS, row, strict=True) if has),
                source=source,
                notes=(f"dies of the unexplained value 3 read as fails: {stray}",) if stray else (),
            )
        )
    return found


def _read_array(archive: zipfile.ZipFile, name: str) -> Array:
    """Return an array of small whole numbers as uint8, converted piece by piece."""
    with archive.open(name) as member:
        shape, by_column, kind = read_header(member)
        count = int(np.prod(np.array(shape, dtype=object))) if shape else 0
        if by_column or kind.kind not in "iubf" or not 0 < kind.itemsize <= 8:
            raise ValueError(f"an array of {kind}, or one by columns")
        if not 0 < count <= _MAX_CELLS:
            raise ValueError(f"{count:,} values; 1 to {_MAX_CELLS:,} are read")
        parts, left = [], count * kind.itemsize
        while left:
            data = member.read(min(left, _CHUNK))
            if not data or len(data) % kind.itemsize:
                raise EOFError("the array ends early")
            parts.append(_small(np.frombuffer(data, kind)))
            left -= len(data)
        return np.concatenate(parts).reshape(shape)


def _small(values: Array) -> npt.NDArray[np.uint8]:
    if not np.isin(values, range(STRAY + 1)).all():
        raise ValueError(f"values other than 0 to {STRAY}")
    return values.astype(np.uint8)
