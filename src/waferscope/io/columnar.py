"""Parquet and npz files of wafers: the columns of `waferscope.io.columns`."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.columns import KNOWN, OPTIONAL, REQUIRED, wafer_of
from waferscope.io.formats import ReadOptions
from waferscope.io.npy import check_text, read_header

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH_CELLS: Final = 16 << 20
_BATCH_ROWS: Final = 4096
_SEPARATOR: Final = "|"
# What zipfile raises on damaged members; RuntimeError: one with a password.
_ZIP_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


def is_parquet(head: bytes) -> bool:
    """Tell Parquet by its magic number."""
    return head.startswith(b"PAR1")


def is_npz(head: bytes) -> bool:
    """Tell npz by the first member of the zip: an .npy file."""
    length = int.from_bytes(head[26:28], "little")
    return head.startswith(b"PK\x03\x04") and head[30 : 30 + length].endswith(b".npy")


def read_parquet(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of a Parquet file; columns that are not read are named in notes.

    Raises FormatError for a damaged file, a missing column, or a row that is not a wafer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = Source("parquet", blob.name, blob.sha256)
    try:
        with pq.ParquetFile(pa.py_buffer(blob.read_all())) as file:
            return list(_parquet_wafers(file, blob, source))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"Expected a sound Parquet file, got {blob.name} damaged ({_line(error)}). "
            "Write or fetch it again."
        ) from error


def _parquet_wafers(file: pq.ParquetFile, blob: Blob, source: Source) -> Iterator[WaferMap]:
    names = list(file.schema_arrow.names)
    _check_columns(names, blob.name)
    blob.check_wafers(file.metadata.num_rows)
    sizes = file.read(["rows", "cols"])
    cells = np.prod([_whole(sizes.column(n), n, blob.name) for n in ("rows", "cols")], axis=0)
    _check_cells(cells, blob)
    largest = int(cells.max()) if len(cells) else 1
    batch_rows = max(1, min(_BATCH_ROWS, _BATCH_CELLS // max(1, largest)))
    number, notes = 0, _not_read(names)
    for batch in file.iter_batches(batch_rows, columns=[n for n in names if n in KNOWN]):
        for row in _plain_rows(batch, blob):
            yield wafer_of(row, number, source, notes)
            number += 1


def _plain_rows(batch: pa.RecordBatch, blob: Blob) -> list[dict[str, Any]]:
    """Return the rows as Python's own values; times may be beyond its calendar or of odd zones."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError, LookupError) as error:
        raise FormatError(
            f"Expected plain values in {blob.name}, got one that is none ({_line(error)}). "
            "Correct tested_at."
        ) from error
    return rows


def _not_read(names: Sequence[str]) -> tuple[str, ...]:
    other = [name for name in names if name not in KNOWN]
    return (f"columns not read: {', '.join(other[:20])}",) if other else ()


def _whole(column: pa.ChunkedArray, name: str, file: str) -> npt.NDArray[np.int64]:
    values = column.to_numpy()
    if values.dtype.kind not in "iu" or (values.size and values.min() < 0):
        raise FormatError(
            f"Expected whole numbers in the column {name} of {file}, got {column.type} or blanks. "
            "Write it as an integer per wafer."
        )
    return np.asarray(values, dtype=np.int64)


def _check_columns(names: Sequence[str], file: str) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise FormatError(
            f"Expected the columns {', '.join(REQUIRED)} in {file}, got "
            f"{', '.join(names[:20]) or 'none'}. Rename or add {', '.join(missing)}."
        )


def _check_cells(cells: npt.NDArray[np.int64], blob: Blob) -> None:
    limits, total = blob.limits, float(cells.astype(float).sum())
    if total > max(limits.ratio_floor, limits.total_bytes):
        raise FormatError(
            f"Expected at most {limits.total_bytes:,} dies in {blob.name}, got {total:,.0f}. "
            "Split the file."
        )


def parquet_bytes(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a Parquet file of wafer rows."""
    import pyarrow as pa

    text, number, real = pa.string(), pa.int64(), pa.float64()
    types = {
        "wafer_id": text,
        "rows": pa.int16(),
        "cols": pa.int16(),
        "dies": pa.binary(),
        "patterns": pa.list_(text),
        "slot": number,
        "tested_at": pa.timestamp("us", tz="UTC"),
        "die_width_mm": real,
        "die_height_mm": real,
        "diameter_mm": real,
        "centre": pa.list_(real),
        "frame": pa.list_(number),
        "reticle": pa.list_(number),
        "bins_hard": pa.binary(),
        "bins_soft": pa.binary(),
    }
    columns: dict[str, pa.Array] = {}
    lot_name, lots = lot_column([row.get("lot_id") for row in rows])
    used = ["wafer_id", lot_name, "rows", "cols", "dies", "patterns"]
    used += [name for name in OPTIONAL if any(name in row for row in rows)]
    for name in used:
        values = lots if name == lot_name else [row.get(name) for row in rows]
        kind = pa.int32() if name == "lot_group" else types.get(name, text)
        columns[name] = pa.array(values, kind)
    return table_bytes(pa.table(columns))


def table_bytes(table: pa.Table) -> bytes:
    """Return an Arrow table as a Parquet file."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def lot_column(lots: Sequence[str | None]) -> tuple[str, list[Any]]:
    """Return the lots as ``lot_group`` numbers where they all are, else as ``lot_id`` texts.

    >>> lot_column(["7", None]), lot_column(["A7", "07"])
    (('lot_group', [7, None]), ('lot_id', ['A7', '07']))
    """
    given = [lot for lot in lots if lot is not None]
    small = all(len(lot) < 10 and lot.isascii() and lot.isdigit() for lot in given)
    if given and small and all(str(int(lot)) == lot for lot in given):
        return "lot_group", [None if lot is None else int(lot) for lot in lots]
    return "lot_id", list(lots)


def read_npz(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of an npz file.

    ``dies`` is flat (all wafers one after another, beside ``rows`` and ``cols``), one grid
    ``[rows, cols]`` or a stack ``[wafers, rows, cols]``. ``patterns`` are labels joined by "|".
    Raises FormatError for a damaged file, pickled members, or arrays that do not fit together.
    """
    arrays = _npz_arrays(blob)
    source = Source("npz", blob.name, blob.sha256)
    dies = arrays.get("dies")
    if dies is None:
        _check_columns(list(arrays), blob.name)
        raise FormatError(f"Expected an array dies in {blob.name}. Add it.")
    if dies.ndim in (2, 3):
        stack = dies if dies.ndim == 3 else dies[None]
        rows, cols = (np.full(len(stack), side) for side in stack.shape[1:])
    else:
        _check_columns(list(arrays), blob.name)
        rows, cols = (arrays[name] for name in ("rows", "cols"))
    blob.check_wafers(rows.size)
    notes = _not_read([name for name in arrays if name != "labelled"])
    return [
        wafer_of(row, number, source, notes)
        for number, row in enumerate(_npz_rows(arrays, rows, cols, blob.name))
    ]


def npz_bytes(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return an npz file of wafer rows: names, lots, sizes, dies and labels, nothing more."""
    lot_name, lots = lot_column([row.get("lot_id") for row in rows])
    if lot_name == "lot_id" or None in lots:
        lot_name, lots = "lot_id", [row.get("lot_id", "") for row in rows]
    labels = [row.get("patterns") for row in rows]
    arrays: dict[str, npt.NDArray[Any]] = {
        "wafer_id": np.array([row["wafer_id"] for row in rows], dtype=np.str_),
        lot_name: np.array(lots, dtype=np.int32 if lot_name == "lot_group" else np.str_),
        "rows": np.array([row["rows"] for row in rows], dtype=np.int16),
        "cols": np.array([row["cols"] for row in rows], dtype=np.int16),
        "dies": np.frombuffer(b"".join(row["dies"] for row in rows), np.uint8),
        "patterns": np.array([_SEPARATOR.join(found or ()) for found in labels], dtype=np.str_),
        "labelled": np.array([found is not None for found in labels]),
    }
    sink = io.BytesIO()
    np.savez_compressed(sink, allow_pickle=False, **arrays)
    return sink.getvalue()


def _npz_rows(
    arrays: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    cols: npt.NDArray[np.int64],
    name: str,
) -> Iterator[dict[str, Any]]:
    one_each = ("wafer_id", "lot_group", "lot_id", "patterns", "labelled")
    texts = {key: arrays[key] for key in one_each if key in arrays}
    if rows.dtype.kind not in "iu" or cols.dtype.kind not in "iu" or rows.ndim != 1:
        raise _misfit(name, "rows and cols that are not lists of whole numbers")
    if len({len(rows), len(cols), *(a.size for a in texts.values())}) != 1:
        raise _misfit(name, "arrays of different lengths")
    ends = np.cumsum(rows.astype(np.int64) * cols.astype(np.int64))
    dies = arrays["dies"]
    if dies.dtype.kind not in "iub" or dies.size != (ends[-1] if len(ends) else 0):
        raise _misfit(name, f"{dies.size} dies of type {dies.dtype}")
    flat = _as_bytes(dies.reshape(-1), name)
    lists = {key: array.reshape(-1).tolist() for key, array in texts.items()}
    for number, end in enumerate(ends.tolist()):
        row = {key: values[number] for key, values in lists.items()}
        row |= {"rows": int(rows[number]), "cols": int(cols[number])}
        row["dies"] = flat[end - row["rows"] * row["cols"] : end]
        row["patterns"] = _labels(row)
        row["lot_id"] = row.get("lot_id") or None
        yield row


def _labels(row: dict[str, Any]) -> list[str] | None:
    if "patterns" not in row or not row.get("labelled", True):
        return None
    return [label for label in str(row["patterns"]).split(_SEPARATOR) if label]


def _as_bytes(dies: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    if dies.size and (dies.min() < 0 or dies.max() > 2):
        raise _misfit(name, f"dies from {dies.min()} to {dies.max()}")
    return dies.astype(np.uint8)


def _misfit(name: str, got: str) -> FormatError:
    return FormatError(
        f"Expected arrays dies (0, 1, 2), rows and cols that fit together in {name}, got {got}. "
        "Compare them with docs/formats.md."
    )


def _npz_arrays(blob: Blob) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(blob.seekable()) as archive:
            infos = [i for i in archive.infolist() if i.filename.endswith(".npy")]
            size = sum(info.file_size for info in infos)
            if size > blob.limits.whole_bytes:
                raise _misfit(blob.name, f"{size:,} bytes of arrays")
            return {i.filename.removesuffix(".npy"): _npy(archive.read(i)) for i in infos}
    except _ZIP_DAMAGE as error:
        raise FormatError(
            f"Expected a sound npz file without pickles, got {blob.name} with "
            f"{_line(error)}. Write it again with numpy.savez."
        ) from error


def _npy(data: bytes) -> npt.NDArray[Any]:
    """Return the array of one .npy member without trusting the size that its header claims."""
    stream = io.BytesIO(data)
    shape, by_column, kind = read_header(stream)
    count = int(np.prod(np.array(shape, dtype=object))) if shape else 1
    array = np.frombuffer(data, kind, count, stream.tell())
    return check_text(array).reshape(shape, order="F" if by_column else "C")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
