"""Regions against a flood fill and a priority flood, both die by die."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from waferscope.domain import regions
from waferscope.domain.regions import label_regions, split_touching

Mask = npt.NDArray[np.bool_]
MASKS = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def flood_fill(mask: Mask, reach: int) -> set[frozenset[tuple[int, int]]]:
    """Regions in which every die is within ``reach`` rows and columns of another."""
    left = {(int(r), int(c)) for r, c in np.argwhere(mask)}
    found = set()
    while left:
        region, todo = set(), [left.pop()]
        while todo:
            row, col = todo.pop()
            region.add((row, col))
            near = {p for p in left if max(abs(p[0] - row), abs(p[1] - col)) <= reach}
            left -= near
            todo += near
        found.add(frozenset(region))
    return found


def as_sets(count: int, labels: npt.NDArray[np.int32]) -> set[frozenset[tuple[int, int]]]:
    return {
        frozenset((int(r), int(c)) for r, c in np.argwhere(labels == number))
        for number in range(1, count + 1)
    }


@given(MASKS, st.integers(0, 3))
def test_regions_are_those_of_a_flood_fill(mask: Mask, closing: int) -> None:
    count, labels = label_regions(mask, closing)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels > 0, mask)
    assert as_sets(count, labels) == flood_fill(mask, closing + 1)


def test_a_closing_of_one_bridges_one_die_and_not_two() -> None:
    line = np.array([[1, 1, 0, 1, 0, 0, 1]], dtype=bool)
    assert label_regions(line, 0)[0] == 3
    assert label_regions(line, 1)[0] == 2
    assert label_regions(line, 2)[0] == 1


def discs(side: int, *places: tuple[float, float, float]) -> Mask:
    row, col = np.mgrid[:side, :side]
    inside: Mask = np.any([np.hypot(row - r, col - c) <= radius for r, c, radius in places], axis=0)
    return inside


def priority_flood(
    depth: npt.NDArray[np.float32], cores: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Basins by Meyer's queue: always the deepest free neighbour of what is taken."""
    labels, order = cores.copy(), itertools.count()
    queue = [(-depth[r, c], next(order), r, c) for r, c in np.argwhere(cores > 0)]
    heapq.heapify(queue)
    while queue:
        _, _, row, col = heapq.heappop(queue)
        for r, c in itertools.product((row - 1, row, row + 1), (col - 1, col, col + 1)):
            inside = 0 <= r < depth.shape[0] and 0 <= c < depth.shape[1]
            if inside and not labels[r, c] and depth[r, c] > 0:
                labels[r, c] = labels[row, col]
                heapq.heappush(queue, (-depth[r, c], next(order), r, c))
    return labels


@pytest.mark.parametrize(
    "places",
    [
        [(20, 12, 9), (20, 29, 9)],
        [(12, 12, 10), (28, 26, 6)],
        [(11, 11, 8), (11, 26, 8), (27, 27, 8)],
    ],
)
@pytest.mark.parametrize("density", [1.0, 0.8])
def test_touching_clusters_are_parted_at_the_neck(
    places: list[tuple[float, float, float]], density: float, rng: np.random.Generator
) -> None:
    mask = discs(42, *places) & (rng.random((42, 42)) < density)
    count, labels = split_touching(mask, min_dies=3)
    assert count == len(places)
    np.testing.assert_array_equal(labels > 0, mask)
    nearest = np.argmin(
        [np.hypot(*(np.mgrid[:42, :42] - np.array([[[r]], [[c]]]))) - s for r, c, s in places], 0
    )
    for number in range(1, count + 1):
        homes = np.bincount(nearest[labels == number], minlength=count)
        assert homes.max() / homes.sum() > 0.93


def test_the_flood_is_that_of_a_priority_queue(rng: np.random.Generator) -> None:
    for _ in range(12):
        spots = [(*rng.uniform(10, 30, 2), rng.uniform(5, 8)) for _ in range(3)]
        mask = discs(40, *spots)
        depth = distance_transform_edt(mask).astype(np.float32)
        count, cores = regions._cores(depth)
        ours, theirs = regions._flood(depth, cores), priority_flood(depth, cores)
        np.testing.assert_array_equal(ours > 0, theirs > 0)
        assert (ours == theirs)[mask].mean() > 0.9  # ties on the ridge may go either way
        assert count == len(np.unique(ours[mask & (ours > 0)]))


@pytest.mark.parametrize("density", [0.5, 0.65, 0.8, 1.0])
def test_one_cluster_stays_one(density: float, rng: np.random.Generator) -> None:
    whole = 0
    for _ in range(20):
        stretch = rng.uniform(0.7, 1.4)
        row, col = np.mgrid[-20:21, -20:21]
        mask = (np.hypot(row * stretch, col / stretch) <= 12) & (rng.random((41, 41)) < density)
        whole += split_touching(mask, min_dies=3)[0] == 1
    assert whole >= 18


def test_a_region_is_left_whole_rather_than_lose_a_die() -> None:
    mask = discs(42, (20, 12, 9), (20, 29, 9))
    count, labels = split_touching(mask, min_dies=200)
    assert (np.bincount(split_touching(mask)[1][mask])[1:] > 200).all()
    assert count == 2
    count, labels = split_touching(mask, min_dies=400)
    assert count == 1
    np.testing.assert_array_equal(labels == 1, mask)


@given(MASKS)
def test_splitting_keeps_every_die(mask: Mask) -> None:
    count, labels = split_touching(mask)
    np.testing.assert_array_equal(labels > 0, mask)
    assert count == labels.max()
