"""Synthetic wafers as one file: the columns of wafer tables, and the masks beside them.

``masks`` and ``zones`` are bits: ``numpy.packbits`` of the bool array ``[C, rows, cols]``, row by
row, one run of bytes per wafer; in an npz the runs follow each other and ``mask_bytes`` says how
long each is. ``class_names`` are the C classes in channel order.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.synth import SynthWafer


def check_suffix(path: Path) -> None:
    """Raise InputError for a file name that is neither .npz nor .parquet."""
    if path.suffix.lower() not in {".npz", ".parquet"}:
        raise InputError(
            f"Expected a file name ending in .npz or .parquet, got {path.name!r}. Rename it."
        )


def write_synthetic(
    wafers: Sequence[SynthWafer], path: Path, *, prefix: str, class_names: Sequence[str]
) -> None:
    """Write wafers named ``prefix-0``, ``prefix-1``, ... with their exact masks.

    Raises InputError for a file name that is neither .npz nor .parquet.
    """
    from waferscope.io.files import write_whole

    check_suffix(path)
    build = _npz if path.suffix.lower() == ".npz" else _parquet
    columns = _columns(wafers, prefix)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, build(columns, list(class_names)))


def _columns(wafers: Sequence[SynthWafer], prefix: str) -> dict[str, list[Any]]:
    import numpy as np

    return {
        "wafer_id": [f"{prefix}-{index}" for index in range(len(wafers))],
        "rows": [wafer.dies.shape[0] for wafer in wafers],
        "cols": [wafer.dies.shape[1] for wafer in wafers],
        "dies": [wafer.dies.tobytes() for wafer in wafers],
        "patterns": [list(wafer.patterns) for wafer in wafers],
        "classes": [list(wafer.classes) for wafer in wafers],
        "masks": [np.packbits(wafer.masks).tobytes() for wafer in wafers],
        "zones": [np.packbits(wafer.zones).tobytes() for wafer in wafers],
    }


def _npz(columns: dict[str, list[Any]], class_names: list[str]) -> bytes:
    import numpy as np

    arrays: dict[str, Any] = {"class_names": np.array(class_names)}
    arrays["mask_bytes"] = np.array([len(run) for run in columns["masks"]], dtype=np.int64)
    for name, values in columns.items():
        if name in {"dies", "masks", "zones"}:
            arrays[name] = np.frombuffer(b"".join(values), dtype=np.uint8)
        elif name in {"patterns", "classes"}:
            arrays[name] = np.array(["|".join(found) for found in values], dtype=np.str_)
        else:
            arrays[name] = np.array(values)
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)
    return sink.getvalue()


def _parquet(columns: dict[str, list[Any]], class_names: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.list_(pa.string())
    kinds = {"rows": pa.int16(), "cols": pa.int16(), "patterns": texts, "classes": texts}
    arrays = {name: pa.array(values, kinds.get(name)) for name, values in columns.items()}
    table = pa.table(arrays).replace_schema_metadata({"class_names": "|".join(class_names)})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
