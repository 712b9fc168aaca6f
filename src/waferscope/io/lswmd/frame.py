"""A pickled pandas frame as named columns, whatever pandas wrote it (0.1x to 2.x).

The table of names below is all that a stream may refer to. Each stands for a stand-in that keeps
what it is given; arrays are built here, once they are asked for, with every size checked.

Source: how pandas' ``BlockManager.__getstate__`` and ``__reduce__`` and numpy's
``ndarray.__reduce__`` lay their state out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.errors import FormatError
from waferscope.io.lswmd.machine import DAMAGE, Name, Piece, run
from waferscope.io.npy import check_text

Column = Sequence[Any] | npt.NDArray[Any]
_CODE: Final = re.compile(r"[<>|=]?([biufO?][0-9]{0,2}|[US][0-9]{1,4})")
_ORDERS: Final = ("<", ">", "|", "=")
_LATIN: Final = ("latin1", "latin-1", "iso-8859-1")


def read_frame(stream: IO[bytes], source: str) -> dict[str, Column]:
    """Return the columns of a pickled frame by name: arrays, or lists of values and of pieces.

    Raises FormatError for a stream that is damaged, holds no frame, or names anything but the
    constructors of numpy and pandas; nothing that it names is run.
    """
    value = run(stream, NAMES, source)
    try:
        return _columns(value)
    except DAMAGE as error:
        raise FormatError(
            f"Expected a pandas frame in {source}, got one of another build "
            f"({type(error).__name__}: {str(error)[:120]}). Write it as Parquet with pandas."
        ) from error


def as_array(value: Any) -> npt.NDArray[Any]:
    """Return the array that a piece stands for; raise ValueError where its parts do not fit."""
    if not isinstance(value, Piece) or value.kind not in ("array", "buffer"):
        raise ValueError(f"an array was expected, got {_kind(value)}")
    if value.kind == "buffer":
        data, dtype, shape, order = value.args
        return _from_bytes(data, _dtype(dtype), shape, order == "F")
    state = value.state
    if isinstance(state[0], tuple):  # an index of old, which was an array with a state of its own
        state = state[0]
    shape, dtype, by_column, data = state[-4:]
    if not isinstance(data, list):
        return _from_bytes(data, _dtype(dtype), shape, bool(by_column))
    if len(data) != _size(shape):
        raise ValueError(f"{len(data)} values for an array of {_size(shape)}")
    array = np.empty(len(data), dtype=object)
    array[:] = data
    return array.reshape(shape)


def as_text(value: Any) -> str | None:
    """Return the one text in a value, however many arrays are around it; None for no text.

    >>> as_text("Loc"), as_text(b"Loc"), as_text(float("nan"))
    ('Loc', 'Loc', None)
    """
    for _ in range(4):
        if isinstance(value, Piece):
            array = as_array(value)
            if array.size != 1:
                return None
            value = array.reshape(-1)[0]
        elif isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        else:
            break
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip() if isinstance(value, str) else None


def _kind(value: Any) -> str:
    return value.kind if isinstance(value, Piece | Name) else type(value).__name__


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Python 3 writes bytes into protocol 2 as text and the order to encode it."""
    if encoding not in _LATIN:
        raise ValueError("an encoding other than latin-1")
    return text.encode("latin-1")


def _empty_bytes(*args: Any) -> bytes:
    if args:
        raise ValueError("bytes built from something")
    return b""


def _array(kind: Any, shape: Any, code: Any) -> Piece:
    return Piece("array", (kind,))


def _buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Piece:
    return Piece("buffer", (data, dtype, shape, order))


def _from_bytes(data: Any, dtype: np.dtype[Any], shape: Any, by_column: bool) -> npt.NDArray[Any]:
    count = _size(shape)
    if not isinstance(data, bytes) or len(data) != count * dtype.itemsize:
        raise ValueError(f"an array of {count} values of {dtype} with other data")
    if not data:
        if count:
            raise ValueError("an array of values without a size")
        return np.empty(shape, dtype)
    return check_text(np.frombuffer(data, dtype)).reshape(shape, order="F" if by_column else "C")


def _size(shape: Any) -> int:
    sides = isinstance(shape, tuple) and all(isinstance(n, int) and 0 <= n < 1 << 31 for n in shape)
    if not sides or len(shape) > 4:
        raise ValueError("an array without a shape")
    return prod(shape)


def _dtype(piece: Any) -> np.dtype[Any]:
    """Return a plain dtype; its byte order is in the state, as the pickle has it."""
    if _kind(piece) != "dtype":
        raise ValueError(f"a dtype was expected, got {_kind(piece)}")
    code = piece.args[0].decode("ascii") if isinstance(piece.args[0], bytes) else piece.args[0]
    if not _CODE.fullmatch(code):
        raise ValueError("an array of records or of other types")
    order = ""
    if piece.state is not None:
        order = piece.state[1].decode() if isinstance(piece.state[1], bytes) else piece.state[1]
        if order not in _ORDERS or piece.state[3] is not None:
            raise ValueError("an array of records")
    return np.dtype(code if code[0] in _ORDERS else order + code)


def _columns(frame: Any) -> dict[str, Column]:
    if _kind(frame) != "frame":
        raise ValueError(f"a pandas frame was expected, got {_kind(frame)}")
    state = frame.state
    manager = state if isinstance(state, Piece) else _entry(state, "_mgr", "_data")
    if _kind(manager) != "blocks":
        raise ValueError("a frame without blocks")
    axes, blocks = _blocks(manager)
    names = _items(axes[0])
    columns: dict[str, Column] = {}
    for values, places in blocks:
        for name, column in zip(_pick(names, places), _rows(values), strict=True):
            columns[name] = column
    if len(columns) != len(names) or len({len(column) for column in columns.values()}) > 1:
        raise ValueError("blocks that do not fill the frame")
    return columns


def _entry(state: Mapping[Any, Any], *keys: str) -> Any:
    for key in keys:
        for spelling in (key, key.encode()):
            if spelling in state:
                return state[spelling]
    raise KeyError(" or ".join(keys))


def _blocks(manager: Piece) -> tuple[Sequence[Any], list[tuple[Any, Any]]]:
    """Return the axes and (values, places) of each block, of any of the three layouts."""
    if manager.state is None:  # pandas 1.3 and later: the blocks are arguments
        blocks, axes = manager.args[:2]
        return axes, [(block.args[0], block.args[1]) for block in blocks]
    axes, old_values, old_items = manager.state[:3]
    if len(manager.state) > 3:  # pandas 0.14.1 and later
        newest = _entry(manager.state[3], "0.14.1")
        axes = _entry(newest, "axes")
        found = _entry(newest, "blocks")
        return axes, [(_entry(b, "values"), _entry(b, "mgr_locs")) for b in found]
    names = _items(axes[0])
    places = [np.array([names.index(item) for item in _items(items)]) for items in old_items]
    return axes, list(zip(old_values, places, strict=True))


def _items(index: Any) -> list[str]:
    """Return the names that an index holds."""
    if _kind(index) == "index":
        index = _entry(index.args[1], "data")
    names = [as_text(name) for name in as_array(index).reshape(-1).tolist()]
    if any(name is None for name in names):
        raise ValueError("columns without names")
    return [str(name) for name in names]


def _pick(names: list[str], places: Any) -> list[str]:
    if _kind(places) == "slice":
        start, stop, step = places.args
        return names[slice(start, stop, step)]
    at = places if isinstance(places, np.ndarray) else as_array(places)
    if at.dtype.kind not in "iu" or (at.size and at.min() < 0):
        raise ValueError("places that are no whole numbers")
    return [names[place] for place in at.reshape(-1).tolist()]


def _rows(values: Any) -> list[Column]:
    """Return the columns of a block; its array has one row per column of the frame."""
    array = as_array(values)
    block = array if array.ndim == 2 else array.reshape(1, -1)
    return [row.tolist() if row.dtype.hasobject else row for row in block]


_INDEX: Final = ("index", "base", "range", "numeric", "api")
NAMES: Final[dict[tuple[str, str], Name]] = {
    ("_codecs", "encode"): Name("encode", _encode),
    **{(module, "bytes"): Name("bytes", _empty_bytes) for module in ("__builtin__", "builtins")},
    **{(module, "slice"): Name("slice") for module in ("__builtin__", "builtins")},
    ("numpy", "ndarray"): Name("ndarray"),
    ("numpy", "dtype"): Name("dtype"),
    **{
        (f"numpy.{core}.multiarray", "_reconstruct"): Name("array", _array)
        for core in ("core", "_core")
    },
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): Name("buffer", _buffer)
        for core in ("core", "_core")
    },
    ("pandas.core.frame", "DataFrame"): Name("frame"),
    ("pandas.core.internals", "BlockManager"): Name("blocks"),
    ("pandas.core.internals.managers", "BlockManager"): Name("blocks"),
    ("pandas._libs.internals", "_unpickle_block"): Name("block"),
    **{
        (module, "_new_Index"): Name("index")
        for module in ("pandas.core.index", "pandas.indexes.base", "pandas.core.indexes.base")
    },
    **{
        (module, name): Name("index type")
        for name in ("Index", "RangeIndex", "Int64Index")
        for module in (
            "pandas.core.index",
            *(f"pandas.{where}.{part}" for where in ("indexes", "core.indexes") for part in _INDEX),
        )
    },
}
"""All that a stream may name: modules as pandas and numpy have called them over the years."""
