"""What changes a wafer moves what is known of it alike, and leaves the rest alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ml.small import CLASSES, PATTERNS, disc, draw_dies
from waferscope.domain.wafermap import Reticle
from waferscope.ml.augment import (
    StrongConfig,
    augment,
    carry,
    drop,
    flip,
    paste,
    rotation,
    strengthen,
    strong_view,
    turn,
)
from waferscope.ml.data import Sample

STILL = StrongConfig(turned=0.0, dropped=0.0, noisy=0.0, pasted=0.0)
NOTHING = np.zeros(len(PATTERNS), np.int8)


def small_sample(rng: np.random.Generator, shape: tuple[int, int] = (20, 27)) -> Sample:
    """A wafer whose target is a function of its dies and of where they lie."""
    dies = draw_dies(rng, ["Random"], shape)
    place = np.arange(dies.size).reshape(shape) % 2
    target = np.where(dies == 0, -1, np.stack([dies == 2, place == 1])).astype(np.int8)
    return Sample(dies, target, np.array([True, False]), np.array([1, 0, -1], np.int8), 0.5)


def known_sample(
    *zones: tuple[str, npt.NDArray[np.bool_]], shape: tuple[int, int] = (31, 31)
) -> Sample:
    """A wafer whose fails are exactly its zones, known on every die."""
    present, _, _ = disc(*shape)
    target = np.where(present, 0, np.full((len(CLASSES), *shape), -1)).astype(np.int8)
    dies = present.astype(np.uint8)
    for name, zone in zones:
        target[CLASSES.index(name)][zone & present] = 1
        dies[zone & present] = 2
    return Sample(dies, target, np.zeros(len(CLASSES), bool), NOTHING.copy())


def spot(shape: tuple[int, int], x: float, y: float, radius: float) -> npt.NDArray[np.bool_]:
    _, across, down = disc(*shape)
    zone: npt.NDArray[np.bool_] = np.hypot(across - x, down - y) < radius
    return zone


@given(st.integers(0, 3), st.booleans(), st.integers(1, 5), st.integers(1, 5))
def test_turning_is_undone_by_turning_back(turns: int, mirror: bool, rows: int, cols: int) -> None:
    array = np.arange(2 * rows * cols).reshape(2, rows, cols)
    turned = turn(array, turns, mirror)
    back = turn(turned, -turns, False)
    np.testing.assert_array_equal(back[..., ::-1] if mirror else back, array)
    assert turned.shape[1:] == ((rows, cols) if turns % 2 == 0 else (cols, rows))


def test_dies_and_targets_move_together() -> None:
    """Each augmented wafer is turned back by all eight symmetries; one, and one alone, fits."""
    one = small_sample(np.random.default_rng(1))
    seen, thinned = [], []
    for seed in range(120):
        moved = augment(one, np.random.default_rng(seed))
        fits = []
        for turns in range(4):
            for mirror in (False, True):
                dies, target = turn(one.dies, turns, mirror), turn(one.target, turns, mirror)
                if dies.shape != moved.dies.shape:
                    continue
                gone = (moved.dies == 0) & (dies > 0)
                kept = np.where(gone, 0, dies)
                if np.array_equal(moved.dies, kept):
                    fits.append((turns, mirror))
                    expected = np.where(gone, -1, target)
                    np.testing.assert_array_equal(moved.target, expected)
                    thinned.append(float(gone.sum() / (dies > 0).sum()))
        assert len(fits) == 1
        seen += fits
        assert moved.weight == one.weight
        assert moved.patterns is one.patterns
    assert len(set(seen)) == 8
    assert max(thinned) < 0.08
    assert 0.08 < np.mean(np.array(thinned) > 0) < 0.3


def test_a_turned_wafer_loses_its_reticle() -> None:
    """The field would have to turn with it; what is left out is found anew from the dies."""
    one = replace(small_sample(np.random.default_rng(1)), reticle=Reticle(4, 3))
    for seed in range(40):
        moved = augment(one, np.random.default_rng(seed))
        at_rest = moved.dies.shape == one.dies.shape and np.array_equal(
            moved.dies, np.where(moved.dies == 0, 0, one.dies)
        )
        assert (moved.reticle == one.reticle) == at_rest


def centroid(zone: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Mean place of a zone, x to the right and y up, -1 to 1."""
    _, x, y = disc(*zone.shape)
    return np.array([x[zone].mean(), -y[zone].mean()])


@pytest.mark.parametrize("shape", [(41, 41), (61, 33)])
@pytest.mark.parametrize("angle", [0.4, 1.9, 3.5, 5.2])
def test_a_turned_spot_lies_where_trigonometry_puts_it(
    shape: tuple[int, int], angle: float
) -> None:
    one = known_sample(("particle", spot(shape, 0.5, 0.0, 0.25)), shape=shape)
    moved = one.dies.ravel()[rotation(one.dies, angle)]
    place = centroid(moved == 2)
    np.testing.assert_allclose(place, 0.5 * np.array([np.cos(angle), np.sin(angle)]), atol=0.05)
    np.testing.assert_array_equal(moved > 0, one.dies > 0)
    assert np.isclose((moved == 2).sum(), (one.dies == 2).sum(), rtol=0.15)


def test_a_quarter_turn_is_the_symmetry() -> None:
    one = known_sample(("scratch", spot((31, 31), 0.3, 0.4, 0.3)))
    for quarters in range(4):
        moved = one.dies.ravel()[rotation(one.dies, quarters * np.pi / 2)]
        np.testing.assert_array_equal(moved, turn(one.dies, quarters, False))


def test_a_ring_at_the_rim_stays_one_whatever_the_angle() -> None:
    present, x, y = disc(33, 33)
    one = known_sample(("edge", np.hypot(x, y) > 0.85), shape=(33, 33))
    for angle in np.linspace(0.1, 6.0, 7):
        moved = one.dies.ravel()[rotation(one.dies, float(angle))]
        ring = (moved == 2)[present & (np.hypot(x, y) > 0.9)]
        assert ring.mean() > 0.93


def test_a_wafer_of_one_row_keeps_its_place() -> None:
    row = np.array([[1, 2, 1, 0]], np.uint8)
    np.testing.assert_array_equal(rotation(row, 1.0), [[0, 1, 2, 3]])


@given(st.integers(0, 2**32 - 1))
def test_what_is_known_is_carried_by_the_map_that_moved_the_dies(seed: int) -> None:
    """Fails are the zone at the start; noise aside they still are at the end."""
    one = known_sample(("particle", spot((27, 27), 0.4, 0.2, 0.35)), shape=(27, 27))
    config = replace(STILL, turned=1.0, dropped=1.0)
    moved = strengthen(one, np.random.default_rng(seed), config)
    channel = CLASSES.index("particle")
    known = moved.target[channel]
    np.testing.assert_array_equal(known == 1, moved.dies == 2)
    np.testing.assert_array_equal(known == -1, moved.dies == 0)


def test_rates_of_what_is_dropped_and_flipped(rng: np.random.Generator) -> None:
    dies = np.repeat(np.array([[0], [1], [2]], np.uint8), 20_000, axis=1)
    gone = drop(dies, rng, 0.1) == 0
    np.testing.assert_allclose(gone.mean(axis=1), [1.0, 0.1, 0.1], atol=0.01)
    flipped = flip(dies, rng, 0.05, 0.2)
    assert (flipped[0] == 0).all()
    np.testing.assert_allclose((flipped != dies).mean(axis=1), [0.0, 0.05, 0.2], atol=0.01)
    assert set(flipped[1]) == set(flipped[2]) == {1, 2}


def test_nothing_is_changed_unless_asked(rng: np.random.Generator) -> None:
    one = small_sample(rng, (20, 20))
    view = strong_view(one.dies, rng, STILL, one)
    np.testing.assert_array_equal(view.dies, one.dies)
    assert not view.moved
    assert (view.laid == -1).all()
    assert strengthen(one, rng, StrongConfig(share=0.0)) is one


def test_fields_are_not_turned(rng: np.random.Generator) -> None:
    """Neither fails that repeat by field nor a wafer known to have such a zone."""
    present, _, _ = disc(36, 36)
    dies = present.astype(np.uint8)
    dies[2::4, 1::6] *= 2
    turning = replace(STILL, turned=1.0)
    assert not strong_view(dies, rng, turning).moved
    plain = known_sample(("lithography", spot((36, 36), 0.3, 0.3, 0.3)), shape=(36, 36))
    reticle = Reticle(3, 3)
    assert strengthen(replace(plain, reticle=reticle), rng, turning).reticle == reticle
    other = known_sample(("center", spot((36, 36), 0.1, 0.2, 0.3)), shape=(36, 36))
    assert strengthen(replace(other, reticle=reticle), rng, turning).reticle is None


def test_a_pattern_is_laid_with_its_zone_and_its_label(rng: np.random.Generator) -> None:
    one = known_sample(("center", spot((31, 31), 0.0, 0.0, 0.3)))
    donor = known_sample(("particle", spot((31, 31), 0.6, 0.0, 0.2)))
    donor = replace(donor, patterns=np.array([n in ("Loc", "Center") for n in PATTERNS], np.int8))
    dies, laid, labels = paste(one.dies, donor, rng)
    np.testing.assert_array_equal(dies == 2, (one.dies == 2) | (donor.dies == 2))
    channel = CLASSES.index("particle")
    np.testing.assert_array_equal(laid[channel] == 1, donor.dies == 2)
    assert (np.delete(laid, channel, axis=0) == -1).all()
    assert [n for n, there in zip(PATTERNS, labels, strict=True) if there] == ["Loc"]
    mixed = strengthen(one, rng, replace(STILL, pasted=1.0), donor)
    assert (mixed.target[channel] == 1).sum() == (donor.dies == 2).sum()
    assert (mixed.target[CLASSES.index("center")] == 1).sum() == (one.dies == 2).sum()
    assert mixed.patterns.tolist() == labels.tolist()


def test_a_pattern_is_stretched_to_a_grid_a_little_larger(rng: np.random.Generator) -> None:
    donor = known_sample(("particle", spot((24, 24), 0.5, 0.3, 0.3)), shape=(24, 24))
    present, _, _ = disc(30, 33)
    _, laid, _ = paste(present.astype(np.uint8), donor, rng)
    zone = laid[CLASSES.index("particle")] == 1
    np.testing.assert_allclose(centroid(zone), centroid(donor.dies == 2), atol=0.05)
    np.testing.assert_allclose(zone.mean(), (donor.dies == 2).mean(), atol=0.02)


@pytest.mark.parametrize(
    ("name", "shape", "failing"),
    [
        ("random", (31, 31), False),
        ("particle", (20, 31), False),
        ("lithography", (30, 31), False),
        ("particle", (31, 31), True),
    ],
)
def test_what_would_not_be_true_is_not_laid(
    name: str, shape: tuple[int, int], failing: bool, rng: np.random.Generator
) -> None:
    donor = known_sample((name, spot((31, 31), 0.4, 0.0, 0.3)))
    dies = disc(*shape)[0].astype(np.uint8) * (2 if failing else 1)
    after, laid, labels = paste(dies, donor, rng)
    np.testing.assert_array_equal(after, dies)
    assert (laid == -1).all()
    assert not labels.any()


def test_carrying_by_a_loop(rng: np.random.Generator) -> None:
    planes = rng.integers(-1, 2, (3, 5, 7)).astype(np.int8)
    source = rng.integers(-1, 35, (4, 6))
    carried = carry(planes, source)
    for (row, col), place in np.ndenumerate(source):
        expected = planes[:, place // 7, place % 7] if place >= 0 else [-1] * 3
        assert carried[:, row, col].tolist() == list(expected)
