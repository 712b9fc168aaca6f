"""Predictions written by hand: the zones are given, so every figure can be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY as TAXONOMY
from waferscope.domain.wafermap import FAIL, WaferMap

Grid = npt.NDArray[np.uint8]


def disc(side: int = 15) -> Grid:
    """Return a round wafer of passing dies."""
    at = np.arange(side) - (side - 1) / 2
    dies: Grid = (np.hypot(at[:, None], at[None, :]) <= side / 2).astype(np.uint8)
    return dies


def build_prediction(
    zones: Mapping[str, tuple[slice, slice]] | None = None,
    labels: Sequence[str] = (),
    *,
    dies: Grid | None = None,
    fails: Sequence[tuple[int, int]] = (),
    model_version: str = "hand-1",
    **wafer: Any,
) -> Prediction:
    """Return a prediction in which every die of each zone fails and is in the class's mask.

    ``fails`` are further failing dies outside the zones; ``wafer`` goes to `WaferMap`.
    """
    grid = disc() if dies is None else dies.copy()
    probs = np.zeros((len(TAXONOMY.classes), *grid.shape), dtype=np.float32)
    for name, box in (zones or {}).items():
        grid[box][grid[box] > 0] = FAIL
        probs[TAXONOMY.channel(name)][box] = 0.9
    for row, col in fails:
        grid[row, col] = FAIL
    probs *= grid > 0
    return Prediction(
        wafer=WaferMap(grid, **wafer),
        taxonomy=TAXONOMY,
        probs=probs,
        thresholds=(0.5,) * len(TAXONOMY.classes),
        patterns={label: 0.9 if label in labels else 0.1 for label in TAXONOMY.patterns},
        pattern_thresholds=dict.fromkeys(TAXONOMY.patterns, 0.5),
        embedding=np.ones(1, dtype=np.float32),
        evidence=np.zeros((len(TAXONOMY.patterns), 4, 4), dtype=np.float32),
        model_version=model_version,
    )
