from __future__ import annotations

import numpy as np
import pytest

from waferscope.domain.wafermap import Reticle
from waferscope.synth import SynthConfig
from waferscope.synth.background import Background
from waferscope.synth.grid import BoolGrid, build_grid
from waferscope.synth.patterns import DRAWERS, Scene
from waferscope.synth.place import place

GRID = build_grid((40, 40), 1)


def even(rate: float) -> Background:
    prob = np.where(GRID.on, np.float32(rate), np.float32(0))
    return Background(prob, np.zeros(GRID.shape, dtype=bool))


def scene(*, tries: int = 12, present: BoolGrid = GRID.on) -> Scene:
    return Scene(GRID, present, Reticle(5, 5), SynthConfig(tries=tries))


@pytest.mark.parametrize("name", sorted(DRAWERS))
def test_every_class_finds_room_on_a_clean_wafer(name: str, rng: np.random.Generator) -> None:
    placed = place(rng, scene(), even(0.02), [name])
    assert [one.layer.name for one in placed] == [name]
    assert (placed[0].fails & placed[0].layer.zone).any()


@pytest.mark.parametrize("name", sorted(DRAWERS))
def test_nothing_is_drawn_that_drowns_in_the_background(
    name: str, rng: np.random.Generator
) -> None:
    assert place(rng, scene(), even(0.8), [name]) == []


def test_nothing_is_drawn_where_no_die_was_tested(rng: np.random.Generator) -> None:
    nowhere = scene(present=np.zeros(GRID.shape, dtype=bool))
    for name in DRAWERS:
        assert place(rng, nowhere, even(0.0), [name]) == []


def test_gradients_come_first_and_random_last(rng: np.random.Generator) -> None:
    for _ in range(10):
        placed = place(rng, scene(), even(0.0), ["random", "edge", "etching", "center"])
        names = [one.layer.name for one in placed]
        if "etching" in names:
            assert names[0] == "etching"
        if "random" in names:
            assert names[-1] == "random"
            assert not any((one.layer.zone & placed[-1].layer.zone).any() for one in placed[:-1])


def test_center_and_ring_never_share_a_die(rng: np.random.Generator) -> None:
    both = 0
    for _ in range(30):
        placed = place(rng, scene(), even(0.0), ["center", "ring"])
        if len(placed) == 2:
            both += 1
            assert not (placed[0].layer.zone & placed[1].layer.zone).any()
    assert both > 0
