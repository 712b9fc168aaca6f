"""Pickled frames as several versions of pandas lay them out, made without pandas.

Classes of the right names stand in for pandas' own while Python's pickler runs; the layouts follow
``BlockManager.__getstate__`` and ``__reduce__`` of each version.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

NAMES = ["waferMap", "dieSize", "lotName", "waferIndex", "trianTestLabel", "failureType"]
LAYOUTS = ("0.13", "0.19", "1.2", "2.2")


def nested(text: str | None) -> npt.NDArray[Any]:
    """A label as MATLAB's cells come out: [['Loc']], or an empty array."""
    return np.array([[text]]) if text else np.array([], dtype=np.float64).reshape(0, 0)


def object_block(*columns: list[Any]) -> npt.NDArray[Any]:
    """Columns of any objects as the array of one block."""
    block = np.empty((len(columns), len(columns[0])), dtype=object)
    for at, column in enumerate(columns):
        for row, value in enumerate(column):
            block[at, row] = value
    return block


def frame_bytes(
    maps: list[Any],
    labels: list[str | None],
    splits: list[str | None],
    layout: str = "0.19",
    protocol: int = 2,
) -> bytes:
    """Return a pickled frame of these wafers: lots of two, numbers from 1, sizes counted."""
    count = len(maps)
    lots = [f"lot{row // 2 + 1}" for row in range(count)]
    objects = object_block(maps, lots, [nested(s) for s in splits], [nested(n) for n in labels])
    floats = np.array([[float(np.count_nonzero(m)) for m in maps], [1.0 + r for r in range(count)]])
    blocks = [(floats, slice(1, 5, 2)), (objects, np.array([0, 2, 4, 5]))]
    with _pandas(layout) as build:
        return pickle.dumps(build(blocks, count), protocol)


@contextmanager
def _pandas(layout: str) -> Iterator[Any]:
    """Give a function that builds the frame, with modules of the names that layout has."""
    indexes = {"0.13": "pandas.core.index", "0.19": "pandas.indexes.base"}
    where = indexes.get(layout, "pandas.core.indexes.base")
    inner = "pandas.core.internals" + (".managers" if layout in ("1.2", "2.2") else "")
    used = ("pandas.core.frame", where, inner, "pandas._libs.internals")
    parents = [name.rsplit(".", at)[0] for name in used for at in range(3)]
    modules = {name: ModuleType(name) for name in parents}

    def own(module: str, name: str, **parts: Any) -> Any:
        kind = type(name, (), {"__module__": module, "__qualname__": name, **parts})
        setattr(modules[module], name, kind)
        return kind

    frame = own("pandas.core.frame", "DataFrame")
    index = own(where, "Index", __reduce__=lambda self: (new_index, (type(self), self.parts)))

    def new_index(kind: Any, parts: Any) -> None: ...
    def unpickle_block(*parts: Any) -> None: ...

    _name(new_index, modules[where], "_new_Index")
    _name(unpickle_block, modules["pandas._libs.internals"], "_unpickle_block")
    manager = own(inner, "BlockManager", __getstate__=lambda self: self.parts)
    newest = own(inner, "BlockManager", __reduce__=lambda self: (type(self), self.parts))
    block = type("Block", (), {"__reduce__": lambda self: (unpickle_block, self.parts)})
    chosen = newest if layout == "2.2" else manager
    vars(modules[inner])["BlockManager"] = chosen

    def with_parts(kind: Any, parts: Any) -> Any:
        made = kind()
        made.parts = parts
        return made

    def build(blocks: list[tuple[Any, Any]], count: int) -> Any:
        names = np.array(NAMES, dtype=object)
        ranks = np.arange(count)
        axes = [with_parts(index, {"data": d, "name": None}) for d in (names, ranks)]
        values = [v for v, _ in blocks]
        items = [with_parts(index, {"data": names[at], "name": None}) for _, at in blocks]
        parts: Any = (axes, values, items)
        if layout in ("0.19", "1.2"):
            found = [{"values": v, "mgr_locs": at} for v, at in blocks]
            parts = (*parts, {"0.14.1": {"axes": axes, "blocks": found}})
        if layout == "2.2":
            parts = (tuple(with_parts(block, (v, at, 2)) for v, at in blocks), axes)
        made = frame()
        key = "_mgr" if layout in ("1.2", "2.2") else "_data"
        made.__dict__.update({key: with_parts(chosen, parts), "_typ": "dataframe"})
        return made

    with mock.patch.dict(sys.modules, modules):
        yield build


def _name(function: Any, module: ModuleType, name: str) -> None:
    function.__module__, function.__name__, function.__qualname__ = module.__name__, name, name
    setattr(module, name, function)
