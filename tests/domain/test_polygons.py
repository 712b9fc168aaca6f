"""Outlines against shapely's union of unit boxes."""

from __future__ import annotations

import gc
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import MultiPolygon, Polygon, shape

from waferscope.domain.polygons import build_geojson, build_polygons
from waferscope.domain.regions import DieTable

Mask = npt.NDArray[np.bool_]
MASKS = arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 8)))


def boxes(mask: Mask, row0: int = 0, col0: int = 0) -> Polygon | MultiPolygon:
    rows, cols = np.nonzero(mask)
    return shapely.union_all(
        [shapely.box(c, r, c + 1, r + 1) for r, c in zip(rows + row0, cols + col0, strict=True)]
    )


def only_region(mask: Mask, row0: int = 0, col0: int = 0) -> DieTable:
    rows, cols = np.nonzero(mask)
    return DieTable(np.zeros(rows.size, np.int64), rows + row0, cols + col0, 1)


def outline(mask: Mask, row0: int = 0, col0: int = 0) -> Polygon | MultiPolygon:
    (polygon,) = build_polygons(only_region(mask, row0, col0))
    return polygon


def same_shape(geometry: dict[str, Any], polygon: Polygon | MultiPolygon) -> bool:
    return bool(shape(json.loads(json.dumps(geometry))).equals_exact(polygon, 0))


def from_text(text: str) -> Mask:
    return np.array([[cell == "#" for cell in line] for line in text.split()])


@given(MASKS.filter(np.any), st.integers(0, 300), st.integers(0, 300))
def test_the_outline_is_the_union_of_the_dies(mask: Mask, row0: int, col0: int) -> None:
    polygon = outline(mask, row0, col0)
    assert polygon.is_valid
    assert polygon.area == mask.sum()
    assert polygon.equals(boxes(mask, row0, col0))


@pytest.mark.parametrize(
    ("text", "parts", "holes"),
    [
        ("#", 1, 0),
        ("### #.# ###", 1, 1),
        ("#. .#", 2, 0),  # touch at a corner
        (".# #.", 2, 0),
        ("### #.. ###", 1, 0),  # a bay, open to the right
        ("### #.# ##.", 1, 1),  # a bay that a corner closes
        ("###. #.## ##.# .###", 1, 2),  # two holes that touch at a corner
        ("#### #..# #.#. ####", 1, 1),  # an outline that meets its own hole at a corner
        (".#. #.# .#.", 4, 0),  # four dies around nothing: their inside is not connected
        ("##### #...# #.#.# #...# #####", 2, 1),  # an island in a hole
    ],
)
def test_parts_and_holes(text: str, parts: int, holes: int) -> None:
    polygon = outline(from_text(text))
    assert polygon.is_valid, shapely.is_valid_reason(polygon)
    assert polygon.geom_type == ("Polygon" if parts == 1 else "MultiPolygon")
    pieces = shapely.get_parts(polygon)
    assert len(pieces) == parts
    assert shapely.get_num_interior_rings(pieces).sum() == holes


def test_no_region_has_no_outline() -> None:
    none = np.zeros(0, np.int64)
    assert build_polygons(DieTable(none, none, none, 0)) == []
    assert build_geojson(DieTable(none, none, none, 0)) == []


def test_only_corners_are_vertices() -> None:
    polygon = outline(np.ones((40, 70), dtype=bool))
    assert shapely.get_num_coordinates(polygon) == 5
    assert polygon.equals(shapely.box(0, 0, 70, 40))


@given(arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4)))
def test_regions_that_touch_are_traced_side_by_side(labels: npt.NDArray[np.int8]) -> None:
    numbers = [n for n in range(5) if (labels == n).any()]
    dies = [np.nonzero(labels == n) for n in numbers]
    table = DieTable(
        np.repeat(np.arange(len(numbers)), [len(d[0]) for d in dies]),
        np.concatenate([d[0] for d in dies]),
        np.concatenate([d[1] for d in dies]),
        len(numbers),
    )
    polygons = build_polygons(table)
    for number, polygon in zip(numbers, polygons, strict=True):
        assert polygon.is_valid
        assert polygon.equals(boxes(labels == number))
    geometries = build_geojson(table)
    assert all(same_shape(*pair) for pair in zip(geometries, polygons, strict=True))


@given(MASKS.filter(np.any))
def test_geojson_is_read_back_by_shapely(mask: Mask) -> None:
    (geometry,) = build_geojson(only_region(mask))
    assert same_shape(geometry, outline(mask))
    assert geometry["type"] == outline(mask).geom_type


@pytest.mark.parametrize("density", [0.35, 0.6, 0.95])
def test_a_large_noisy_wafer_keeps_its_area(density: float, rng: np.random.Generator) -> None:
    mask = rng.random((120, 110)) < density
    polygon = outline(mask)
    assert polygon.is_valid
    assert polygon.area == mask.sum()
    sides = np.abs(np.diff(np.pad(mask, 1).astype(int), axis=0)).sum()
    sides += np.abs(np.diff(np.pad(mask, 1).astype(int), axis=1)).sum()
    assert polygon.length == sides


def test_many_regions_are_traced_in_groups_with_the_same_outlines(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    dies = [np.argwhere(rng.random((9, 7)) < 0.4) for _ in range(5)]
    rows, cols = np.concatenate(dies).T
    table = DieTable(np.repeat(np.arange(5), [len(one) for one in dies]), rows, cols, 5)
    at_once, geometries = build_polygons(table), build_geojson(table)
    monkeypatch.setattr("waferscope.domain.polygons.MOST_VERTICES", 100)
    assert [one.wkt for one in build_polygons(table)] == [one.wkt for one in at_once]
    assert build_geojson(table) == geometries


@pytest.mark.parametrize("collecting", [True, False])
def test_thousands_of_parts_bring_on_no_collection(
    rng: np.random.Generator, collecting: bool
) -> None:
    region = only_region(rng.random((200, 200)) < 0.35)
    begun: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            begun.append(info["generation"])

    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    gc.callbacks.append(note)
    try:
        (polygon,), (geometry,) = build_polygons(region), build_geojson(region)
        assert gc.isenabled() is collecting
    finally:
        gc.callbacks.remove(note)
        (gc.enable if was else gc.disable)()
    assert len(polygon.geoms) == len(geometry["coordinates"]) > 3000
    assert len(begun) <= 4  # dozens otherwise
