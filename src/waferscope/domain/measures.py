"""Figures per defect and per wafer, computed for all defects at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from waferscope.domain.grid import unit_axes
from waferscope.domain.regions import DieTable
from waferscope.domain.taxonomy import Taxonomy
from waferscope.domain.wafermap import WaferMap

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
SeverityLevel = Literal["low", "medium", "critical"]

EDGE_RHO = 0.8
"""Where the edge zone starts, as a share of the wafer's radius."""
QUADRANTS = ("upper_right", "upper_left", "lower_left", "lower_right")


class DefectMeasures(NamedTuple):
    """Figures of all regions, ``[regions]`` each; `Defect` says what they mean."""

    area: Ints
    centroid: Floats
    perimeter: Ints
    orientation_deg: Floats
    rho_min: Floats
    rho_max: Floats
    theta_extent_deg: Floats


def measure_defects(table: DieTable, dies: npt.NDArray[np.uint8]) -> DefectMeasures:
    """Measure every region of ``table`` on the wafer ``dies`` uint8 ``[rows, cols]``."""
    starts = table.starts
    size = np.diff(starts, append=table.region.size)

    def mean(values: npt.NDArray[Any]) -> Floats:
        return np.add.reduceat(values, starts, axis=-1) / size

    row, col = mean(np.stack((table.row, table.col)))
    up, right = row[table.region] - table.row, table.col - col[table.region]
    spread, lean = mean(np.stack((right * right - up * up, 2 * up * right)))
    longer = np.hypot(spread, lean) > 1e-9 * size  # else rounding, and no axis is the major one
    turn = np.where(longer, np.arctan2(lean, spread), 0.0)
    y_of_row, x_of_col = unit_axes(dies)
    y, x = y_of_row[table.row], x_of_col[table.col]
    rho = np.hypot(y, x).astype(np.float64)
    return DefectMeasures(
        area=size,
        centroid=np.column_stack((row, col)),
        perimeter=_perimeter(table, size),
        orientation_deg=np.degrees(turn / 2) % 180.0 % 180.0,
        rho_min=np.minimum.reduceat(rho, starts),
        rho_max=np.maximum.reduceat(rho, starts),
        theta_extent_deg=_theta_extent(table, rho, np.degrees(np.arctan2(y, x))),
    )


def _perimeter(table: DieTable, size: Ints) -> Ints:
    """Count the die edges that no two dies of a region share; ``size`` counts its dies."""
    width = int(table.col.max()) + 2
    place = (table.region * (int(table.row.max()) + 2) + table.row) * width + table.col
    under = np.searchsorted(place, place + width)
    shared = (place[np.minimum(under, place.size - 1)] == place + width).astype(np.int64)
    shared[:-1] += place[1:] - place[:-1] == 1
    edges: Ints = 4 * size - 2 * np.add.reduceat(shared, table.starts)
    return edges


def _theta_extent(table: DieTable, rho: Floats, degrees: npt.NDArray[np.float32]) -> Floats:
    """Return the smallest arc, in degrees, that holds the die centres of each defect."""
    gap = np.full(table.regions, 360.0)
    seen = rho > 0  # the die at the very centre has no direction
    region, angle = table.region[seen], degrees[seen].astype(np.float64)
    if region.size:
        angle = angle[np.argsort(angle + 1000.0 * region)]  # the table is by region
        starts = np.flatnonzero(np.diff(region, prepend=-1))
        ends = np.append(starts[1:], region.size) - 1
        step = np.append(angle[1:], 0.0) - angle
        step[ends] = angle[starts] + 360.0 - angle[ends]
        gap[region[starts]] = np.maximum.reduceat(step, starts)
    return 360.0 - gap


def severity_score(coverage: float, classes: int, defects: int) -> float:
    """Return the severity, 0 to 100, of a wafer that has lost a share ``coverage`` of its dies.

    ``classes`` and ``defects`` count what was found. It needs no die size and no reference set.

    >>> [round(severity_score(share, 1, 1)) for share in (0.02, 0.15, 0.25)]
    [23, 62, 80]
    """
    if not defects:
        return 0.0
    lost = min(1.0, math.sqrt(coverage / 0.25))
    kinds = min(1.0, max(classes - 1, 0) / 2)
    number = min(1.0, (defects - 1) / 7)
    return 100.0 * (0.8 * lost + 0.1 * kinds + 0.1 * number)


def severity_level(severity: float) -> SeverityLevel:
    """Return low below 40, medium below 80, critical from 80."""
    # 100 * 0.8 is 80.0 exactly; the rounding keeps sums such as 70 + 10 from falling short of it.
    score = round(severity, 9)
    return "low" if score < 40.0 else "medium" if score < 80.0 else "critical"


@dataclass(frozen=True, slots=True)
class WaferMetrics:
    """Figures of one wafer; shares are of 1, and 0 for a wafer without a tested die.

    ``counts``, ``affected_dies`` and ``yield_loss`` are per class of the taxonomy, in its order:
    defects, dies in the mask, and these over all tested dies. A die of two classes counts in both
    of them and once in ``affected`` and ``coverage`` (dies in any mask, and their share of the
    tested ones). ``density_per_cm2`` is defects over the area of the tested dies, None when the
    die size is unknown. ``edge_ratio`` and ``quadrant_shares`` say where the affected dies lie:
    beyond 0.8 of the radius, and in which quadrant as drawn (a die on an axis counts half on
    either side). ``dominant_class`` has the most affected dies. ``wafer_yield`` is None without a
    tested die.
    """

    die_count: int
    fail_count: int
    wafer_yield: float | None
    defect_count: int
    affected: int
    coverage: float
    counts: dict[str, int]
    affected_dies: dict[str, int]
    yield_loss: dict[str, float]
    density_per_cm2: float | None
    edge_ratio: float
    quadrant_shares: dict[str, float]
    dominant_class: str | None
    severity: float
    severity_level: SeverityLevel

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready values."""
        record = {one.name: getattr(self, one.name) for one in fields(self)}
        return {k: dict(v) if isinstance(v, dict) else v for k, v in record.items()}


def measure_wafer(
    masks: Mask, counts: dict[str, int], wafer: WaferMap, taxonomy: Taxonomy
) -> WaferMetrics:
    """Return the figures of a wafer from its masks ``[C, rows, cols]`` and defects per class."""
    dies, names = wafer.die_count, taxonomy.class_names
    per_class = np.count_nonzero(masks, axis=(1, 2))
    rows, cols = np.nonzero(masks.any(axis=0))
    coverage = rows.size / dies if dies else 0.0
    edge, quadrants = _places(rows, cols, wafer.dies)
    total = sum(counts.values())
    score = severity_score(coverage, sum(n > 0 for n in counts.values()), total)
    density = None
    if wafer.die_width_mm and wafer.die_height_mm and dies:
        density = total * 100.0 / (dies * wafer.die_width_mm * wafer.die_height_mm)
    return WaferMetrics(
        die_count=dies,
        fail_count=wafer.fail_count,
        wafer_yield=wafer.wafer_yield if dies else None,
        defect_count=total,
        affected=int(rows.size),
        coverage=coverage,
        counts={name: counts.get(name, 0) for name in names},
        affected_dies={name: int(n) for name, n in zip(names, per_class, strict=True)},
        yield_loss={
            name: float(n) / dies if dies else 0.0 for name, n in zip(names, per_class, strict=True)
        },
        density_per_cm2=density,
        edge_ratio=edge,
        quadrant_shares=quadrants,
        dominant_class=names[int(per_class.argmax())] if rows.size else None,
        severity=score,
        severity_level=severity_level(score),
    )


def _places(rows: Ints, cols: Ints, dies: npt.NDArray[np.uint8]) -> tuple[float, dict[str, float]]:
    """Return the share of the given dies in the edge zone and their share per quadrant."""
    if not rows.size:
        return 0.0, dict.fromkeys(QUADRANTS, 0.0)
    y_of_row, x_of_col = unit_axes(dies)
    y, x = y_of_row[rows], x_of_col[cols]
    upper, right = (1 + np.sign(y)) / 2, (1 + np.sign(x)) / 2
    both, top, side = (float(one.sum()) for one in (upper * right, upper, right))
    counts = (both, top - both, rows.size - top - side + both, side - both)  # exact quarters
    named = {name: count / rows.size for name, count in zip(QUADRANTS, counts, strict=True)}
    return float((np.hypot(y, x) >= EDGE_RHO).mean()), named
