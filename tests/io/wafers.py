"""Strategies that draw wafer maps, for the round trips of every writer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from waferscope.domain.wafermap import Bins, Frame, Reticle, WaferMap

NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=("L", "N", "P", "S")),
    min_size=1,
    max_size=20,
)
SIZES = st.none() | st.decimals(1, 400, places=2).map(float)
NOTCHES = st.sampled_from(["down", "left", "up", "right"])
TIMES = st.none() | st.integers(1, (1 << 32) - 1).map(lambda s: datetime.fromtimestamp(s, UTC))


def grids(side: int = 9) -> st.SearchStrategy[npt.NDArray[np.uint8]]:
    """Die grids with a tested die in every outermost row and column: nothing to trim."""
    shapes = st.tuples(st.integers(2, side), st.integers(2, side))
    cells = shapes.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 2)))
    return cells.map(_filled)


def _filled(grid: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    grid = grid.copy()
    grid[0, 0], grid[-1, -1] = 1, 2
    return grid


@st.composite
def bins(draw: st.DrawFn, dies: npt.NDArray[np.uint8], most: int = 999) -> Bins:
    """Hard bins, perhaps soft ones, on tested dies alone, with names for some."""
    numbers = hnp.arrays(np.uint16, dies.shape, elements=st.integers(1, most))
    hard = draw(numbers) * (dies > 0)
    soft = draw(st.none() | numbers)
    names = st.dictionaries(st.integers(1, most), NAMES, max_size=3)
    return Bins(hard, None if soft is None else soft * (dies > 0), draw(names), draw(names))


CENTRES = st.floats(-999.0, 999.0, width=32)


def frames() -> st.SearchStrategy[Frame]:
    starts, steps = st.integers(-500, 500), st.sampled_from([1, -1])
    return st.builds(Frame, starts, starts, steps, steps, st.booleans())


@st.composite
def wafers(draw: st.DrawFn, /, **given: Any) -> WaferMap:
    """Any wafer map, every field drawn unless given."""
    dies = draw(grids())
    fields: dict[str, Any] = {
        "wafer_id": draw(NAMES),
        "lot_id": draw(st.none() | NAMES),
        "product": draw(st.none() | NAMES),
        "step": draw(st.none() | NAMES),
        "tester": draw(st.none() | NAMES),
        "slot": draw(st.none() | st.integers(1, 25)),
        "tested_at": draw(TIMES),
        "die_width_mm": draw(SIZES),
        "die_height_mm": draw(SIZES),
        "diameter_mm": draw(SIZES),
        "notch": draw(NOTCHES),
        "centre": draw(st.none() | st.tuples(CENTRES, CENTRES)),
        "frame": draw(frames()),
        "reticle": draw(st.none() | st.builds(Reticle, *[st.integers(1, 9)] * 4)),
        "patterns": draw(st.none() | st.lists(st.sampled_from(["Loc", "Scratch"]), unique=True)),
        "bins": draw(st.none() | bins(dies)),
    }
    return WaferMap(dies, **{**fields, **given})
