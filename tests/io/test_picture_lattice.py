"""The die pitch is the one that the edges were made with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from waferscope.io.picture_lattice import Axis, find_axis


def profile_at(positions: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    profile = np.zeros(size - 1, np.int64)
    # With borders 40 times as faint as others, 1 in 5,000 short axes is read at a wrong pitch.
    weights = np.random.default_rng(seed).integers(5, 40, len(positions))
    np.add.at(profile, positions.astype(int) - 1, weights)
    return profile


@settings(max_examples=60)
@given(
    st.integers(12, 80), st.floats(3, 20), st.integers(1, 30), st.integers(1, 30), st.integers(0, 9)
)
def test_uneven_cells(count: int, pitch: float, before: int, after: int, seed: int) -> None:
    borders = np.round(np.arange(count + 1) * pitch) + before
    size = int(borders[-1]) + after
    axis = find_axis(profile_at(borders, size, seed), size)
    assert axis.found
    assert axis.pitch == pytest.approx(pitch, abs=1.2 / count)
    middles = (borders[1:] + borders[:-1]) / 2
    nearest = np.abs(axis.centres(size)[:, None] - middles).min(axis=0)
    assert nearest.max() <= max(1.0, pitch / 6)


@settings(max_examples=60)
@given(st.integers(12, 60), st.integers(3, 16), st.integers(1, 4), st.integers(1, 30))
def test_gaps(count: int, pitch: int, gap: int, before: int) -> None:
    assume(gap <= pitch / 3)
    left = before + np.arange(count) * pitch
    edges = np.sort(np.concatenate([left, left + pitch - gap]))
    size = int(edges[-1]) + 20
    axis = find_axis(profile_at(edges, size), size)
    assert axis.pitch == pytest.approx(pitch, rel=0.01)
    middles = left + (pitch - gap) / 2
    assert np.abs(axis.centres(size)[:, None] - middles).min(axis=0).max() <= pitch / 4


@pytest.mark.parametrize(("rule", "shift"), [("middle", 0.5), ("end", 0.0)])
@pytest.mark.parametrize("count", [212, 160, 110])
def test_dies_of_one_to_three_pixels(rule: str, shift: float, count: int) -> None:
    owner = np.floor((np.arange(300) + shift) * count / 300).astype(int)
    borders = np.flatnonzero(np.diff(owner)) + 1
    axis = find_axis(profile_at(borders, 300), 300)
    assert axis.pitch == pytest.approx(300 / count)
    assert owner[np.floor(axis.centres(300)).astype(int)].tolist() == list(range(count)), rule


def test_no_pitch_is_one_pixel() -> None:
    every = find_axis(np.ones(49, np.int64), 50)
    assert every == Axis(0.0, 1.0, 1.0, found=False)
    assert every.centres(50).tolist() == [n + 0.5 for n in range(50)]
    assert not find_axis(np.zeros(49, np.int64), 50).found
    assert not find_axis(np.eye(1, 49, 7, dtype=np.int64)[0], 50).found
    noise = np.random.default_rng(2).integers(0, 9, 299)
    assert not find_axis(noise, 300).found


def test_a_few_strays_do_not_hide_the_pitch() -> None:
    profile = profile_at(np.arange(1, 30) * 9, 300) * 10
    profile[[31, 77, 140]] += 7
    axis = find_axis(profile, 300)
    assert axis.pitch == pytest.approx(9)
    assert 0.9 < axis.share < 1


@pytest.mark.parametrize("rows", [100, 104, 120, 124])
def test_borders_between_two_pixels_are_rounded_either_way(rows: int) -> None:
    """Of 104 rows on 300 pixels every thirteenth border is half way between two middles."""
    rng = np.random.default_rng(3)
    dies = np.tile(rng.integers(0, 3, rows).astype(np.uint8)[:, None], (1, 4))
    drawn = np.asarray(Image.fromarray(dies).resize((4, 300), Image.Resampling.NEAREST))
    axis = find_axis(4 * (np.diff(drawn[:, 0]) != 0).astype(np.int64), 300)
    assert axis.pitch == pytest.approx(300 / rows, rel=1e-3)
