"""A wafer enlarged keeps its zones in their places, and its fail rates in them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from waferscope.domain.grid import rho_theta
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import Reticle
from waferscope.errors import InputError
from waferscope.synth.enlarge import enlarge
from waferscope.synth.generate import SynthWafer

SMALL, LARGE = (40, 44), (97, 120)
CENTER, EDGE = (DEFAULT_TAXONOMY.channel(name) for name in ("center", "edge"))


def draw(rng: np.random.Generator) -> SynthWafer:
    """Return a solid center and an edge that fails half of the time over 10 % of fails."""
    rho, theta = rho_theta(np.ones(SMALL, np.uint8))
    zones = np.zeros((8, *SMALL), bool)
    zones[CENTER] = rho < 0.35
    zones[EDGE] = (rho > 0.8) & (rho <= 1) & (np.abs(theta) < 1)
    rate = np.select([zones[CENTER], zones[EDGE]], [1.0, 0.5], 0.1)
    dies = np.where(rho <= 1, 1 + (rng.random(SMALL) < rate), 0).astype(np.uint8)
    return SynthWafer(dies, zones, ("edge", "center"), ("Center", "Edge-Loc"), Reticle(2, 2, 0, 0))


def test_zones_and_rates_stay_where_they_were(rng: np.random.Generator) -> None:
    small = draw(rng)
    large = enlarge(rng, small, LARGE)
    assert large.dies.shape == LARGE
    assert (large.classes, large.patterns) == (small.classes, small.patterns)
    assert large.reticle is None  # fields do not grow with the wafer
    rho, theta = rho_theta(large.dies)
    want = {CENTER: rho < 0.35, EDGE: (rho > 0.8) & (np.abs(theta) < 1)}
    for channel, zone in want.items():
        there = zone & (large.dies > 0)
        both = np.count_nonzero(large.zones[channel] & there)
        assert both / np.count_nonzero(large.zones[channel] | there) > 0.85
    assert not large.zones[:, large.dies == 0].any()
    on = large.dies > 0
    for channel, low, high in ((CENTER, 0.97, 1.0), (EDGE, 0.35, 0.65)):
        inside = large.zones[channel] & on
        assert low <= np.mean(large.dies[inside] == 2) <= high
    outside = on & ~large.zones.any(axis=0)
    assert 0.05 < np.mean(large.dies[outside] == 2) < 0.15


def test_fails_are_drawn_anew_and_not_copied(rng: np.random.Generator) -> None:
    """Where a fifth of the dies fails, alone each, none of the large wafer's blocks is whole."""
    small = draw(rng)
    dies = np.where(small.dies > 0, 1, 0).astype(np.uint8)
    dies[::3, ::2] *= 2
    calm = SynthWafer(dies, np.zeros_like(small.zones), (), ())
    fails = enlarge(rng, calm, (120, 132)).dies == 2
    assert 0.12 < fails.mean() / (np.pi / 4) < 0.22
    eroded = ndimage.binary_erosion(fails, np.ones((3, 3)))
    copied = ndimage.binary_erosion(np.kron(dies == 2, np.ones((3, 3))), np.ones((3, 3)))
    assert np.count_nonzero(copied) > 200
    assert np.count_nonzero(eroded) < 5


def test_borders_bend_by_a_die_at_most_and_zones_stay_whole(rng: np.random.Generator) -> None:
    zones = np.zeros((8, *SMALL), bool)
    zones[CENTER, 10:30, 12:32] = True
    whole = SynthWafer(np.full(SMALL, 2, np.uint8), zones, ("center",), ("Center",))
    for _ in range(10):
        large = enlarge(rng, whole, (3 * SMALL[0], 3 * SMALL[1]))
        assert ndimage.label(large.zones[CENTER])[1] == 1
        inner, outer = (
            np.pad(np.ones((60 - 2 * d, 60 - 2 * d), bool), ((30 + d, 30 + d), (36 + d, 36 + d)))
            for d in (2, -2)
        )
        assert large.zones[CENTER][inner].all()
        assert not large.zones[CENTER][~outer].any()


def test_every_die_comes_from_a_die(rng: np.random.Generator) -> None:
    """The outline of the larger wafer reaches places where the small one has no die."""
    small = draw(rng)
    full = SynthWafer(np.where(small.dies > 0, 2, 0).astype(np.uint8), small.zones, (), ())
    large = enlarge(rng, full, LARGE)
    assert set(np.unique(large.dies)) == {0, 2}


def test_the_same_seed_gives_the_same_wafer() -> None:
    small = draw(np.random.default_rng(1))
    one, other = (enlarge(np.random.default_rng(2), small, LARGE) for _ in range(2))
    np.testing.assert_array_equal(one.dies, other.dies)
    np.testing.assert_array_equal(one.zones, other.zones)


@pytest.mark.parametrize("shape", [(39, 100), (100, 43)])
def test_a_smaller_grid_is_refused(rng: np.random.Generator, shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"Expected a grid of at least \(40, 44\) dies"):
        enlarge(rng, draw(rng), shape)
