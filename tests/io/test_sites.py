"""Coordinates laid into an array, checked against walks over the results one by one."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.wafermap import MAX_SIDE, Frame
from waferscope.errors import FormatError
from waferscope.io.formats import Retests
from waferscope.io.sites import find_sites, find_strays, retest_order, solve_frame

Places = list[tuple[int, int]]
PLACES = st.lists(st.tuples(st.integers(-30, 30), st.integers(-30, 30)), min_size=1, max_size=40)


def axes(places: Places) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(places, np.int16).T
    return x, y


@settings(max_examples=40)
@given(PLACES, st.booleans(), st.booleans())
def test_the_smallest_array_in_which_x_and_y_grow_as_said(
    places: Places, right: bool, up: bool
) -> None:
    sites = find_sites(*axes(places), right=right, up=up)
    xs, ys = {x for x, _ in places}, {y for _, y in places}
    assert sites.shape == (max(ys) - min(ys) + 1, max(xs) - min(xs) + 1)
    for cell, (x, y) in zip(sites.cells.tolist(), places, strict=True):
        row, col = divmod(cell, sites.shape[1])
        assert (row, col) == (
            max(ys) - y if up else y - min(ys),
            x - min(xs) if right else max(xs) - x,
        )
        assert sites.frame.to_cell(x, y) == (row, col)


def test_coordinates_at_the_ends_of_their_type() -> None:
    x = np.array([32767, 32760], np.int16)
    sites = find_sites(x, np.array([-32768, -32767], np.int16))
    assert sites.shape == (2, 8)
    assert sites.cells.tolist() == [7, 8]
    end = np.array([0, 299], np.int16)
    assert find_sites(end, end).cells.tolist() == [0, 300 * 300 - 1]


def test_the_largest_grid() -> None:
    zero = np.zeros(2, np.int64)
    assert find_sites(np.array([0, MAX_SIDE - 1]), zero).shape == (1, MAX_SIDE)
    with pytest.raises(FormatError, match="x from -1 to 4095 and y from 0 to 0"):
        find_sites(np.array([-1, MAX_SIDE - 1]), zero)
    with pytest.raises(FormatError, match="y from 0 to 4096"):
        find_sites(zero, np.array([0, MAX_SIDE]))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=20),
    st.sampled_from(["first", "last", "worst"]),
)
def test_which_result_of_a_die_counts(results: Places, retests: Retests) -> None:
    x, states = axes(results)
    sites = find_sites(x, np.zeros_like(x))
    grid = sites.dies(states, retest_order(states, retests))
    take: dict[str, Callable[[list[int]], int]] = {
        "first": itemgetter(0),
        "last": itemgetter(-1),
        "worst": max,
    }
    for col in range(sites.shape[1]):
        seen = [state for place, state in results if place == col + int(x.min())]
        assert grid[0, col] == (take[retests](seen) if seen else 0)


def test_of_equally_bad_results_the_last_one_counts() -> None:
    place = np.zeros(400, np.int64)
    order = retest_order(np.tile([2, 1], 200), "worst")
    assert order.tolist() == [*range(1, 400, 2), *range(0, 400, 2)]
    grid = find_sites(place, place).bins(np.arange(400), order)
    assert grid is not None
    assert grid.tolist() == [[398]]


def test_bins_follow_the_dies_or_are_none() -> None:
    sites = find_sites(np.array([0, 1, 0]), np.array([5, 6, 5]))
    order = retest_order(np.array([1, 1, 2]), "last")
    grid = sites.bins(np.array([3, 65535, 4]), order)
    assert grid is not None
    assert grid.tolist() == [[4, 0], [0, 65535]]
    assert sites.bins(np.zeros(3, np.int64), order) is None


@settings(max_examples=60)
@given(
    st.builds(Frame, *[st.integers(-99, 99)] * 2, *[st.sampled_from([1, -1])] * 2, st.booleans()),
    PLACES,
)
def test_a_frame_is_found_again(frame: Frame, places: Places) -> None:
    sites = find_sites(*axes(places))
    cells = [divmod(cell, sites.shape[1]) for cell in sites.cells.tolist()]
    x, y = axes([frame.to_xy(row, col) for row, col in cells])
    found = solve_frame(sites, x, y)
    assert found is not None
    assert [found.to_xy(row, col) for row, col in cells] == list(zip(x, y, strict=True))
    corners = {(0, 0), (0, 1), (1, 0)}
    if corners <= set(cells):  # two axes are seen: there is one frame alone
        assert found == frame


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0, 2, 0], [0, 0, 1]),
        ([0, 1, 0], [0, 0, 0]),
        ([0, 1, 1], [0, 0, 1]),
        ([0, 1, 0], [0, 1, 0]),
    ],
)
def test_coordinates_that_no_frame_gives(x: list[int], y: list[int]) -> None:
    sites = find_sites(np.array([0, 1, 0]), np.array([0, 0, 1]))
    assert solve_frame(sites, np.array(x), np.array(y)) is None


@pytest.mark.parametrize(
    ("far", "left_out"),
    [
        ([(32767, 32767)], True),
        ([(-9999, 3)], True),
        ([(3, 255)], True),
        ([(40, 3)], True),
        ([(39, 3)], False),  # 30 dies from the next
        ([(32767, 0)] * 2, True),
        ([(32767, 0)] * 3, False),  # of 103 results: too many for a mistake
        ([(9, 9)], False),
    ],
)
def test_results_far_from_all_others(far: Places, left_out: bool) -> None:
    wafer = [(x, y) for x in range(10) for y in range(10)]
    found = find_strays(*(np.array(v) for v in zip(*wafer, *far, strict=True)))
    assert found.tolist() == [False] * len(wafer) + [left_out] * len(far)


def test_of_a_few_sites_none_is_far() -> None:
    assert not find_strays(*axes([(0, 0), (0, 1), (200, 0)])).any()
