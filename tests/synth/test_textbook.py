"""Textbook wafers: what is drawn is what its label says, and masks are exact."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from waferscope.domain.grid import rho_theta
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.synth.generate import SynthWafer
from waferscope.synth.grid import BoolGrid
from waferscope.synth.textbook import EVERY_CLASS, LABELLED, SIDE, SIDES, draw_textbook

COUNT = 300


@pytest.fixture(scope="module")
def labelled() -> list[SynthWafer]:
    return [draw_textbook(np.random.default_rng((3, n))) for n in range(COUNT)]


@pytest.fixture(scope="module")
def every() -> list[SynthWafer]:
    rngs = [np.random.default_rng((4, n)) for n in range(COUNT)]
    return [draw_textbook(r, (int(r.integers(24, 64)), 40), EVERY_CLASS) for r in rngs]


def zone(wafer: SynthWafer, name: str) -> BoolGrid:
    found: BoolGrid = wafer.zones[DEFAULT_TAXONOMY.channel(name)]
    return found


def test_a_seed_gives_one_wafer() -> None:
    one, same = (draw_textbook(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.dies, same.dies)
    assert one.patterns == same.patterns


def test_sizes_and_noise_are_as_said(labelled: list[SynthWafer]) -> None:
    sides = [side for w in labelled for side in w.dies.shape]
    assert min(sides) >= SIDES[0]
    assert max(sides) <= SIDES[1]
    assert Counter(w.dies.shape == (SIDE, SIDE) for w in labelled)[True] > 0.3 * COUNT
    plain = [np.mean(w.dies[w.dies > 0] == 2) for w in labelled if not w.patterns]
    assert max(plain) < 0.3
    assert np.mean(plain) == pytest.approx(0.11, abs=0.04)


def test_labels_come_as_often_as_said_and_one_of_a_kind(labelled: list[SynthWafer]) -> None:
    pairs = (("Center", "Donut"), ("Edge-Loc", "Edge-Ring"), ("Loc",), ("Scratch",))
    for (share, _), kinds in zip(LABELLED.kinds, pairs, strict=True):
        found = [sum(kind in w.patterns for kind in kinds) for w in labelled]
        assert max(found) == 1
        assert np.mean(found) == pytest.approx(share, abs=0.1)


def test_zones_are_those_of_the_labels(labelled: list[SynthWafer]) -> None:
    classes = DEFAULT_TAXONOMY.pattern_class
    for wafer in labelled:
        assert set(wafer.classes) == {classes[label] for label in wafer.patterns}
        assert not (wafer.zones & (wafer.dies == 0)).any()
        for name in wafer.classes:
            assert np.mean(wafer.dies[zone(wafer, name)] == 2) > 0.35


def test_rings_are_closed_and_arcs_are_not(labelled: list[SynthWafer]) -> None:
    cover: dict[str, list[float]] = {"Edge-Ring": [], "Edge-Loc": []}
    for wafer in labelled:
        for label, found in cover.items():
            if label in wafer.patterns:
                rho, theta = rho_theta(wafer.dies)
                edge = zone(wafer, "edge")
                assert float(rho[edge].min()) > 0.8
                sectors = np.unique((theta[edge] / np.deg2rad(10.0)).astype(int))
                found.append(len(sectors) / 36)
    assert min(cover["Edge-Ring"]) > 0.85
    assert max(cover["Edge-Loc"]) < 0.92
    assert np.mean(cover["Edge-Loc"]) < 0.6


def test_scratches_are_thin(labelled: list[SynthWafer]) -> None:
    for line in [zone(w, "scratch") for w in labelled if "Scratch" in w.patterns]:
        rows, cols = np.nonzero(line)
        long = np.hypot(np.ptp(rows), np.ptp(cols))
        assert np.count_nonzero(line) <= 3.5 * long + 8


def test_every_class_is_drawn_and_an_excursion_alone(every: list[SynthWafer]) -> None:
    seen = Counter(name for w in every for name in w.classes)
    assert set(seen) == set(DEFAULT_TAXONOMY.class_names)
    random = [w for w in every if "random" in w.classes]
    assert all(w.classes == ("random",) for w in random)
    assert {w.patterns for w in random} <= {("Random",), ("Near-full",)}
    assert len(random) / COUNT == pytest.approx(EVERY_CLASS.excursions, abs=0.05)


def test_clusters_lie_off_the_rim_and_gradients_are_wide(every: list[SynthWafer]) -> None:
    for wafer in every:
        tested = wafer.dies > 0
        rho, _ = rho_theta(wafer.dies)
        if "particle" in wafer.classes:
            assert float(rho[zone(wafer, "particle")].mean()) > 0.3
        if "etching" in wafer.classes:
            share = np.count_nonzero(zone(wafer, "etching")) / np.count_nonzero(tested)
            assert 0.15 <= share <= 0.75
