"""Defects: what a person would count, and nothing lost on the way."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.test_regions import discs, flood_fill
from waferscope.domain.defects import Defect, find_defects
from waferscope.domain.masks import build_masks
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import Frame, WaferMap
from waferscope.errors import InputError

Mask = npt.NDArray[np.bool_]


def find(name: str, mask: Mask, confidence: float = 0.75, **fields: Any) -> list[Defect]:
    """The defects of a wafer whose failing dies are one class's mask."""
    masks = np.zeros((8, *mask.shape), dtype=bool)
    masks[DEFAULT_TAXONOMY.channel(name)] = mask
    probs = np.where(masks, np.float32(confidence), np.float32(0))
    return find_defects(
        masks, probs, WaferMap(1 + mask.astype(np.uint8), **fields), DEFAULT_TAXONOMY
    )


def painted(defects: list[Defect], shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """How many defects each die belongs to."""
    canvas = np.zeros(shape, dtype=np.int64)
    for defect in defects:
        row0, col0, row1, col1 = defect.bbox
        canvas[row0:row1, col0:col1] += defect.mask
    return canvas


def test_a_small_defect_by_hand() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[1, 5:8] = mask[2, 5] = True
    frame = Frame(x0=-4, y0=10, dx=1, dy=-1)
    (defect,) = find("center", mask, frame=frame, die_width_mm=2.0, die_height_mm=3.0)
    assert (defect.class_name, defect.class_id) == ("center", 2)
    assert (defect.die_count, defect.area_dies, defect.area_mm2) == (4, 4, 24.0)
    assert defect.mask.tolist() == [[True, True, True], [True, False, False]]
    assert (defect.bbox, defect.bbox_xy) == ((1, 5, 3, 8), (1, 8, 3, 9))
    assert defect.bbox_mm == (1.0, 4.5, 7.0, 10.5)
    assert defect.centroid == (1.25, 5.75)
    assert defect.centroid_xy == (1.75, 8.75)
    assert defect.centroid_mm == (3.5, 8.25)
    assert (defect.perimeter, defect.compactness) == (10, 4 * math.pi * 4 / 100)
    assert defect.confidence == 0.75
    assert defect.polygon.wkt == "POLYGON ((5 1, 8 1, 8 2, 6 2, 6 3, 5 3, 5 1))"


def test_a_scratch_one_die_wide_with_gaps_is_one_defect() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    along = np.array([i for i in range(4, 37) if i % 4])
    mask[along, 39 - along] = True
    (defect,) = find("scratch", mask)
    assert defect.die_count == defect.polygon.area == mask.sum()
    assert defect.orientation_deg == pytest.approx(45)
    assert len(find("particle", mask)) == 8  # where gaps are not bridged


def test_a_ring_does_not_own_its_hole() -> None:
    row, col = np.mgrid[-20:21, -20:21]
    mask = (np.hypot(row, col) > 8) & (np.hypot(row, col) <= 12)
    (defect,) = find("ring", mask)
    assert defect.area_dies == mask.sum()
    assert len(defect.polygon.interiors) == 1
    assert defect.polygon.area == mask.sum()
    assert defect.theta_extent_deg > 350
    assert defect.rho_min == pytest.approx(8 / 20.5, abs=0.02)
    assert defect.rho_max == pytest.approx(12 / 20.5, abs=0.01)


def test_touching_particles_are_two_and_the_same_blob_of_another_class_is_one() -> None:
    mask = discs(42, (20, 12, 9), (20, 29, 9))
    assert [len(find(name, mask)) for name in ("particle", "center")] == [2, 1]
    one, other = find("particle", mask)
    assert one.polygon.touches(other.polygon)
    assert abs(one.die_count - other.die_count) < 0.1 * mask.sum()


@pytest.mark.parametrize("name", ["lithography", "etching", "random"])
def test_a_lattice_or_graded_area_is_one_defect(name: str) -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[1::4, 2::5] = True
    (defect,) = find(name, mask)
    assert defect.die_count == mask.sum()
    assert len(defect.polygon.geoms) == mask.sum()


def test_the_size_limit_is_the_class_s_own() -> None:
    pair = np.zeros((6, 6), dtype=bool)
    pair[2, 2:4] = True
    assert not find("scratch", pair)
    assert len(find("lithography", pair)) == 1


@given(st.integers(1, 14), st.integers(1, 14), st.floats(0.05, 1), st.integers(0, 2**32 - 1))
def test_defects_share_out_the_masks(rows: int, cols: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dies = np.where(rng.random((rows, cols)) < density, 2, 1).astype(np.uint8)
    probs = rng.random((8, rows, cols), dtype=np.float32) ** 0.5
    masks = build_masks(probs, dies, (0.5,) * 8, DEFAULT_TAXONOMY)
    defects = find_defects(masks, probs, WaferMap(dies), DEFAULT_TAXONOMY)
    for rule, mask, prob in zip(DEFAULT_TAXONOMY.classes, masks, probs, strict=True):
        own = [d for d in defects if d.class_id == rule.id]
        np.testing.assert_array_equal(painted(own, (rows, cols)), mask)
        assert [d.die_count for d in own] == sorted((d.die_count for d in own), reverse=True)
        if not rule.split and rule.grouping == "components":
            assert len(own) == len(flood_fill(mask, rule.closing + 1))
        for defect in own:
            row0, col0, row1, col1 = defect.bbox
            dies_of = prob[row0:row1, col0:col1][defect.mask]
            assert defect.confidence == pytest.approx(float(dies_of.mean()), abs=1e-6)
            assert defect.die_count == defect.polygon.area == defect.mask.sum() >= rule.min_dies
            assert defect.polygon.length == defect.perimeter
            assert defect.polygon.bounds == (col0, row0, col1, row1)


def test_masks_that_keep_specks_lose_them_here() -> None:
    mask = np.zeros((7, 7), dtype=bool)
    mask[0, 0] = mask[4:6, 4:6] = True
    assert [d.die_count for d in find("center", mask)] == [4]


def test_a_turned_frame_gives_the_testers_box() -> None:
    mask = np.zeros((5, 8), dtype=bool)
    mask[1, 2:6] = True
    frame = Frame(x0=7, y0=-2, dx=-1, dy=1, swapped=True)
    (defect,) = find("edge", mask, frame=frame)
    corners = [frame.to_xy(1, 2), frame.to_xy(1, 5)]
    assert defect.bbox_xy == (
        *map(min, zip(*corners, strict=True)),
        *map(max, zip(*corners, strict=True)),
    )


def test_a_defect_travels_to_another_process_and_into_json() -> None:
    (defect,) = find("ring", discs(12, (6, 6, 3)))
    again = pickle.loads(pickle.dumps(defect))
    assert again.polygon.equals(defect.polygon)
    record = json.loads(json.dumps(defect.to_dict(), allow_nan=False))
    assert record["class"] == "ring"
    assert record["bbox_mm"] is record["centroid_mm"] is record["area_mm2"] is None
    assert "polygon" not in defect.to_dict(polygon=False)


def test_shapes_that_do_not_fit_are_refused() -> None:
    wafer = WaferMap(np.ones((4, 4), dtype=np.uint8))
    with pytest.raises(InputError, match=r"got \(8, 4, 4\) and \(7, 4, 4\)"):
        find_defects(
            np.zeros((8, 4, 4), dtype=bool),
            np.zeros((7, 4, 4), dtype=np.float32),
            wafer,
            DEFAULT_TAXONOMY,
        )


@pytest.mark.parametrize(("density", "apart", "bridged"), [(0.5, 10, 1), (0.25, 100, 5)])
def test_a_faint_center_of_a_large_wafer_does_not_fall_apart(
    density: float, apart: int, bridged: int
) -> None:
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    faint = (np.hypot(y, x) < 0.2) & (np.random.default_rng(0).random((300, 300)) < density)
    found = find("center", faint)
    assert len(flood_fill(faint, 1)) > apart
    assert len(found) <= bridged
    assert found[0].die_count > 0.95 * np.count_nonzero(faint)
