"""One wafer's result as a light row: what tables and totals need, without its per-die arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from waferscope.domain.prediction import Prediction


@dataclass(frozen=True, slots=True)
class WaferRow:
    """The figures of one predicted wafer.

    ``labels`` pairs each decided pattern with its calibrated probability. ``class_dies`` counts
    failing dies per class in channel order; a die of two classes counts in both, and once in
    ``lost_dies``.
    """

    wafer_id: str
    lot_id: str | None
    product: str | None
    rows: int
    cols: int
    die_count: int
    fail_count: int
    wafer_yield: float
    labels: tuple[tuple[str, float], ...]
    class_names: tuple[str, ...]
    class_dies: tuple[int, ...]
    lost_dies: int
    defect_count: int
    severity: float
    severity_level: str
    conflicts: tuple[str, ...]
    notes: tuple[str, ...]
    model_version: str

    @property
    def present(self) -> Iterator[tuple[str, int]]:
        """Class names with at least one die, and their dies, most dies first."""
        pairs = [(n, d) for n, d in zip(self.class_names, self.class_dies, strict=True) if d]
        return iter(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def build_row(prediction: Prediction) -> WaferRow:
    """Return the light row of a prediction."""
    wafer, masks = prediction.wafer, prediction.masks
    return WaferRow(
        wafer_id=wafer.wafer_id,
        lot_id=wafer.lot_id,
        product=wafer.product,
        rows=wafer.shape[0],
        cols=wafer.shape[1],
        die_count=wafer.die_count,
        fail_count=wafer.fail_count,
        wafer_yield=wafer.wafer_yield,
        labels=tuple((name, float(prediction.patterns[name])) for name in prediction.labels),
        class_names=prediction.taxonomy.class_names,
        class_dies=tuple(int(n) for n in np.count_nonzero(masks, axis=(1, 2))),
        lost_dies=int(np.count_nonzero(masks.any(axis=0))),
        defect_count=len(prediction.defects),
        severity=float(prediction.severity),
        severity_level=prediction.severity_level,
        conflicts=tuple(prediction.conflicts),
        notes=wafer.notes,
        model_version=prediction.model_version,
    )
