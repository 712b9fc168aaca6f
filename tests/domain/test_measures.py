"""Figures against shapely, numpy's eigenvectors, loops over dies and the classes page."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.domain.grid import rho_theta
from waferscope.domain.measures import (
    DefectMeasures,
    measure_defects,
    measure_wafer,
    severity_level,
    severity_score,
)
from waferscope.domain.polygons import build_polygons
from waferscope.domain.regions import DieTable
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap

Grid = npt.NDArray[np.uint8]


def table_of(*regions: Any) -> DieTable:
    """A table of regions given as boolean arrays of the wafer's shape."""
    dies = [np.nonzero(region) for region in regions]
    number = np.repeat(np.arange(len(dies)), [len(rows) for rows, _ in dies])
    rows, cols = (np.concatenate(axis) for axis in zip(*dies, strict=True))
    return DieTable(number, rows, cols, len(dies))


def measure(*regions: Any) -> DefectMeasures:
    return measure_defects(table_of(*regions), np.ones(regions[0].shape, dtype=np.uint8))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_area_perimeter_and_place_are_those_of_the_polygon(
    rows: int, cols: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    regions = rng.random((count, rows, cols)) < 0.5
    regions[:, rng.integers(rows), rng.integers(cols)] = True
    found = measure(*regions)
    for i, polygon in enumerate(build_polygons(table_of(*regions))):
        assert found.area[i] == polygon.area
        assert found.perimeter[i] == polygon.length
        x, y = polygon.centroid.x - 0.5, polygon.centroid.y - 0.5
        assert found.centroid[i] == pytest.approx((y, x), abs=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_orientation_is_the_first_eigenvector(seed: int) -> None:
    region = np.random.default_rng(seed).random((9, 14)) < 0.3
    region[4, 7] = True
    row, col = np.nonzero(region)
    spread = np.cov(np.stack((col, -row)), bias=True)
    values, vectors = np.linalg.eigh(spread)
    found = measure(region).orientation_deg[0]
    assert 0 <= found < 180
    if values[1] - values[0] > 1e-6:
        axis = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
        assert math.cos(2 * math.radians(found - axis)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("cells", "angle"),
    [
        ([(4, 1), (4, 2), (4, 3)], 0),
        ([(1, 4), (2, 4), (3, 4)], 90),
        ([(3, 1), (2, 2), (1, 3)], 45),
        ([(1, 1), (2, 2), (3, 3)], 135),
        ([(2, 2)], 0),
        ([(1, 1), (1, 2), (2, 1), (2, 2)], 0),
    ],
)
def test_orientation_by_eye(cells: list[tuple[int, int]], angle: float) -> None:
    region = np.zeros((6, 6), dtype=bool)
    region[tuple(zip(*cells, strict=True))] = True
    assert measure(region).orientation_deg[0] == pytest.approx(angle, abs=1e-9)


@given(st.integers(1, 11), st.integers(1, 11), st.integers(0, 2**32 - 1))
def test_extents_in_rho_and_theta(rows: int, cols: int, seed: int) -> None:
    region = np.random.default_rng(seed).random((rows, cols)) < 0.2
    region[0, 0] = True
    found = measure(region)
    rho, theta = rho_theta(np.ones((rows, cols), dtype=np.uint8))
    assert found.rho_min[0] == rho[region].min()
    assert found.rho_max[0] == rho[region].max()
    angles = np.degrees(theta[region & (rho > 0)].astype(np.float64)) % 360
    # The smallest arc starts at one of the dies: try them all.
    arcs = [((angles - start) % 360).max() for start in angles] or [0.0]
    assert found.theta_extent_deg[0] == pytest.approx(min(arcs), abs=1e-3)


def test_an_arc_over_the_seam_is_not_the_long_way_round() -> None:
    region = np.zeros((21, 21), dtype=bool)
    region[8:13, 0] = True  # to the left, where theta jumps from pi to -pi
    assert measure(region).theta_extent_deg[0] == pytest.approx(2 * math.degrees(math.atan(0.2)))


def test_the_die_at_the_centre_has_no_direction() -> None:
    region = np.zeros((5, 5), dtype=bool)
    region[:3, 2] = True  # from the top to the centre
    alone = np.zeros((5, 5), dtype=bool)
    alone[2, 2] = True
    assert measure(region, alone).theta_extent_deg.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("coverage", "classes", "defects", "score"),
    [
        (0.02, 1, 1, 23),
        (0.15, 1, 1, 62),
        (0.25, 1, 1, 80),
        (0.0, 0, 0, 0),
        (1.0, 8, 99, 100),
        (0.25, 2, 1, 85),
        (0.25, 1, 8, 90),
    ],
)
def test_severity_as_the_classes_page_has_it(
    coverage: float, classes: int, defects: int, score: int
) -> None:
    assert round(severity_score(coverage, classes, defects)) == score


def test_levels_change_at_40_and_80() -> None:
    assert [severity_level(s) for s in (0, 39.99, 40, 79.99, 80, 100)] == [
        *("low", "low", "medium", "medium", "critical", "critical"),
    ]
    assert severity_level(severity_score(0.25, 1, 1)) == "critical"
    assert severity_level(0.1 + 39.8 + 0.1) == "medium"


def masks_of(**zones: Any) -> npt.NDArray[np.bool_]:
    shape = next(iter(zones.values())).shape
    masks = np.zeros((8, *shape), dtype=bool)
    for name, zone in zones.items():
        masks[DEFAULT_TAXONOMY.channel(name)] = zone
    return masks


def test_wafer_figures_by_hand() -> None:
    dies = np.ones((10, 10), dtype=np.uint8)
    edge = np.zeros((10, 10), dtype=bool)
    edge[0, 5:] = True  # five dies, upper right
    ring = np.zeros((10, 10), dtype=bool)
    ring[0, 8:] = True  # two of them again
    ring[6, 2:5] = True  # three, lower left
    dies[edge | ring] = 2
    wafer = WaferMap(dies, die_width_mm=5.0, die_height_mm=4.0)
    metrics = measure_wafer(
        masks_of(edge=edge, ring=ring), {"edge": 1, "ring": 2}, wafer, DEFAULT_TAXONOMY
    )
    assert (metrics.die_count, metrics.fail_count, metrics.wafer_yield) == (100, 8, 0.92)
    assert (metrics.affected, metrics.coverage, metrics.defect_count) == (8, 0.08, 3)
    assert metrics.affected_dies["edge"] == metrics.affected_dies["ring"] == 5
    assert metrics.yield_loss["ring"] == 0.05
    assert metrics.counts == dict.fromkeys(DEFAULT_TAXONOMY.class_names, 0) | {"edge": 1, "ring": 2}
    assert metrics.density_per_cm2 == 3 / 20  # 100 dies of 0.2 cm2
    assert metrics.edge_ratio == 5 / 8  # row 0 lies at y = 0.9
    assert metrics.quadrant_shares == {
        "upper_right": 5 / 8,
        "upper_left": 0.0,
        "lower_left": 3 / 8,
        "lower_right": 0.0,
    }
    assert metrics.dominant_class == "edge"
    assert metrics.severity == severity_score(0.08, 2, 3)
    assert metrics.severity_level == "medium"


@given(st.integers(0, 2**32 - 1))
def test_shares_of_quadrants_are_those_counted_one_by_one(seed: int) -> None:
    mask = np.random.default_rng(seed).random((10, 10)) < 0.1
    mask[0, 0] = True
    wafer = WaferMap(np.full((10, 10), 2, np.uint8))
    found = measure_wafer(masks_of(random=mask), {}, wafer, DEFAULT_TAXONOMY).quadrant_shares
    counted = [mask[:5, 5:], mask[:5, :5], mask[5:, :5], mask[5:, 5:]]
    assert list(found.values()) == [part.sum() / mask.sum() for part in counted]


def test_dies_on_an_axis_count_half_on_either_side() -> None:
    dies = np.full((3, 3), 2, dtype=np.uint8)
    everything = np.ones((3, 3), dtype=bool)
    metrics = measure_wafer(
        masks_of(random=everything), {"random": 1}, WaferMap(dies), DEFAULT_TAXONOMY
    )
    assert set(metrics.quadrant_shares.values()) == {0.25}
    assert metrics.density_per_cm2 is None
    assert metrics.severity == 80.0


@pytest.mark.parametrize("shape", [(1, 1), (4, 3)])
def test_a_wafer_without_a_tested_die(shape: tuple[int, int]) -> None:
    wafer = WaferMap(np.zeros(shape, dtype=np.uint8), die_width_mm=1.0, die_height_mm=1.0)
    metrics = measure_wafer(masks_of(edge=np.zeros(shape, dtype=bool)), {}, wafer, DEFAULT_TAXONOMY)
    assert [metrics.wafer_yield, metrics.density_per_cm2, metrics.dominant_class] == [None] * 3
    assert metrics.severity == metrics.coverage == metrics.edge_ratio == 0.0
