"""Evidence is a ratio of likelihoods, die by die."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from waferscope.domain.wafermap import FAIL
from waferscope.synth.background import Background
from waferscope.synth.evidence import zone_evidence
from waferscope.synth.generate import Drawn, SynthWafer, build_wafer, draw_wafer
from waferscope.synth.patterns import Layer
from waferscope.synth.place import Placed


def two_layers() -> Drawn:
    """Four dies of which two fail; `edge` lies on the first two, `ring` on the middle two."""
    dies = np.array([[2, 2, 1, 1, 0]], np.uint8)
    probs = {"edge": [[0.5, 0.5, 0, 0, 0]], "ring": [[0, 0.8, 0.8, 0, 0]]}
    zones = np.zeros((8, 1, 5), bool)
    placed = [
        Placed(Layer(name, np.array(p) > 0, np.array(p, np.float32)), dies == FAIL)
        for name, p in probs.items()
    ]
    wafer = SynthWafer(dies, zones, tuple(probs), ())
    background = Background(np.full((1, 5), 0.1, np.float32), np.zeros((1, 5), bool))
    return Drawn(wafer, background, tuple(placed))


def test_evidence_is_what_a_layer_adds_to_the_likelihood() -> None:
    found = zone_evidence(two_layers())
    # edge: the first die fails by 0.1 without it and 1 - 0.9 * 0.5 with it; the second, which the
    # ring makes fail by 1 - 0.9 * 0.2 anyway, by 1 - 0.9 * 0.2 * 0.5.
    edge = math.log(0.55 / 0.1) + math.log(0.91 / 0.82)
    ring = math.log(0.91 / 0.55) + math.log(0.18 / 0.9)
    assert found["edge"] == pytest.approx(edge, rel=1e-5)
    assert found["ring"] == pytest.approx(ring, rel=1e-5)


def test_a_die_that_cannot_fail_but_does_proves_a_bounded_thing() -> None:
    drawn = two_layers()
    clean = replace(drawn, background=replace(drawn.background, prob=np.zeros((1, 5), np.float32)))
    assert 0 < zone_evidence(clean)["edge"] < 8


def test_what_it_was_drawn_from_belongs_to_the_wafer() -> None:
    drawn = draw_wafer(np.random.default_rng(4), shape=(40, 40), classes=("ring", "scratch"))
    wafer = build_wafer(np.random.default_rng(4), shape=(40, 40), classes=("ring", "scratch"))
    np.testing.assert_array_equal(drawn.wafer.dies, wafer.dies)
    assert {one.layer.name for one in drawn.placed} == set(wafer.classes)
    assert set(zone_evidence(drawn)) == set(wafer.classes)


def test_a_pattern_that_was_placed_leaves_evidence() -> None:
    """The median of rings that fail half of the time, on 40 dies across."""
    found = [
        zone_evidence(draw_wafer(np.random.default_rng(n), shape=(40, 40), classes=("ring",)))
        for n in range(12)
    ]
    assert np.median([one["ring"] for one in found if one]) > 50
