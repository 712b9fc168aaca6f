"""The wafers that speed is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from waferscope.domain.wafermap import WaferMap
from waferscope.synth import build_wafer

# Ten equal parts of WM-811K val by number of dies, one map size from the middle of each.
VAL_SHAPES: Final = (
    (25, 27), (25, 27), (27, 25), (25, 27), (26, 26),
    (35, 31), (33, 37), (39, 37), (50, 51), (101, 65),
)  # fmt: skip


def synthetic(shape: tuple[int, int], count: int) -> list[WaferMap]:
    """Return synthetic wafers of a shape, the same ones every time."""
    return [
        build_wafer(np.random.default_rng((shape[0], n)), shape=shape).to_wafermap(f"synthetic-{n}")
        for n in range(count)
    ]


def lot(data: Path, count: int) -> tuple[list[WaferMap], str]:
    """Return wafers and where they come from."""
    if not data.is_file():
        each = -(-count // len(VAL_SHAPES))
        made = [wafer for shape in VAL_SHAPES for wafer in synthetic(shape, each)]
        order = np.random.default_rng(0).permutation(len(made))[:count]
        return [made[n] for n in order], f"synthetic wafers, as {data.name} is not at hand"
    return list(_sample(data, count)), "wafers of WM-811K val"


def _sample(data: Path, count: int) -> Iterator[WaferMap]:
    import pyarrow.parquet as pq

    table = pq.read_table(data, columns=["wafer_id", "rows", "cols", "dies"])
    chosen = np.random.default_rng(0).permutation(table.num_rows)[:count]
    for row in table.take(chosen).to_pylist():
        grid = np.frombuffer(row["dies"], np.uint8).reshape(row["rows"], row["cols"])
        yield WaferMap(grid, wafer_id=row["wafer_id"])


def as_csv(wafer: WaferMap) -> str:
    """Return a wafer as a die list."""
    lines = ["x,y,pass"]
    for row, col in np.argwhere(wafer.dies > 0):
        lines.append(f"{col},{row},{int(wafer.dies[row, col] == 1)}")
    return "\n".join(lines) + "\n"
