from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError, InputError
from waferscope.synth import SynthConfig, SynthWafer, build_wafer, generate

NAMES = DEFAULT_TAXONOMY.class_names


@pytest.fixture(scope="module")
def drawn() -> list[SynthWafer]:
    return list(generate(123, 400, SynthConfig(large_share=0.0)))


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(0, 2**32))
def test_any_shape_and_seed_gives_a_wafer(rows: int, cols: int, seed: int) -> None:
    wafer = build_wafer(np.random.default_rng(seed), shape=(rows, cols))
    assert wafer.dies.shape == (rows, cols)
    assert wafer.dies.dtype == np.uint8
    assert set(np.unique(wafer.dies)) <= {0, 1, 2}
    assert wafer.zones.shape == (8, rows, cols)
    assert not (wafer.zones & (wafer.dies == 0)).any()
    assert not (wafer.masks & (wafer.dies != 2)).any()
    for border in (wafer.dies[0], wafer.dies[-1], wafer.dies[:, 0], wafer.dies[:, -1]):
        assert border.any()


def test_the_largest_grids_work() -> None:
    for shape in ((320, 320), (212, 84), (15, 22)):
        wafer = build_wafer(np.random.default_rng(1), shape=shape, classes=["edge", "scratch"])
        assert wafer.dies.shape == shape
        assert wafer.classes == ("edge", "scratch")


def test_masks_are_failing_dies_in_zones_and_classes_name_them(drawn: list[SynthWafer]) -> None:
    for wafer in drawn:
        assert (wafer.masks == (wafer.zones & (wafer.dies == 2))).all()
        named = [n for n, mask in zip(NAMES, wafer.masks, strict=True) if mask.any()]
        assert tuple(named) == wafer.classes
        for name in wafer.classes:
            channel = NAMES.index(name)
            assert wafer.masks[channel].sum() >= DEFAULT_TAXONOMY.classes[channel].min_dies


def test_a_zone_fails_well_above_the_rest_of_its_wafer(drawn: list[SynthWafer]) -> None:
    for wafer in drawn:
        outside = (wafer.dies > 0) & ~wafer.zones.any(axis=0)
        if not wafer.classes or outside.sum() < 50:
            continue
        around = (wafer.dies[outside] == 2).mean()
        for zone in wafer.zones[[NAMES.index(name) for name in wafer.classes]]:
            assert (wafer.dies[zone] == 2).mean() > around + 0.1


def test_zones_overlap_but_none_hides_another(drawn: list[SynthWafer]) -> None:
    shared = 0
    for wafer in drawn:
        for one in range(8):
            for other in range(one):
                if "etching" in (NAMES[one], NAMES[other]):
                    continue
                common = (wafer.zones[one] & wafer.zones[other]).sum()
                smaller = min(wafer.zones[one].sum(), wafer.zones[other].sum())
                assert common <= 0.5 * smaller
                shared += common > 0
    assert shared > 20


def test_counts_and_classes_follow_the_weights(drawn: list[SynthWafer]) -> None:
    counts = Counter(len(wafer.classes) for wafer in drawn)
    assert set(counts) == {0, 1, 2, 3, 4}
    assert 0.35 < counts[1] / len(drawn) < 0.6
    classes = Counter(name for wafer in drawn for name in wafer.classes)
    assert set(classes) == set(NAMES)
    assert min(classes.values()) > 0.35 * max(classes.values())


def test_weights_choose_what_is_drawn() -> None:
    config = SynthConfig(count_weights=(0, 0, 1), class_weights={"edge": 1, "center": 1})
    for wafer in generate(4, 20, config):
        assert wafer.classes == ("edge", "center")
    alone = SynthConfig(count_weights=(0, 0, 1), class_weights={"scratch": 1})
    assert all(wafer.classes == ("scratch",) for wafer in generate(4, 10, alone))


def test_random_seldom_stays_beside_other_classes() -> None:
    config = SynthConfig(count_weights=(0, 0, 1), random_mixed_share=0.0)
    for wafer in generate(6, 60, config):
        assert "random" not in wafer.classes or wafer.classes == ("random",)
    mixed = build_wafer(np.random.default_rng(2), shape=(40, 40), classes=["random", "center"])
    center, random = mixed.zones[NAMES.index("center")], mixed.zones[NAMES.index("random")]
    assert not (center & random).any()
    assert ((center | random) == (mixed.dies > 0)).all()


def test_patterns_are_the_labels_of_the_classes(drawn: list[SynthWafer]) -> None:
    for wafer in drawn:
        assert {DEFAULT_TAXONOMY.pattern_class[label] for label in wafer.patterns} == (
            set(wafer.classes) - {"lithography", "etching"}
        )
        assert list(wafer.patterns) == sorted(wafer.patterns, key=DEFAULT_TAXONOMY.patterns.index)


def test_same_seed_same_wafers_and_each_can_be_rebuilt_alone() -> None:
    first, again = list(generate(9, 12)), list(generate(9, 12))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.dies, other.dies)
        assert np.array_equal(one.zones, other.zones)
        assert (one.patterns, one.reticle) == (other.patterns, other.reticle)
    alone = build_wafer(np.random.default_rng((9, 7)))
    assert np.array_equal(alone.dies, first[7].dies)
    assert any(
        not np.array_equal(one.dies, other.dies)
        for one, other in zip(first, generate(10, 12), strict=True)
    )


def test_reticle_is_told_on_a_share_of_all_wafers() -> None:
    told = [w.reticle is not None for w in generate(1, 60, SynthConfig(reticle_share=0.5))]
    assert 0.25 < np.mean(told) < 0.75
    assert not any(w.reticle for w in generate(1, 20, SynthConfig(reticle_share=0.0)))


def test_shapes_follow_the_config() -> None:
    config = SynthConfig(side_range=(15, 18), large_share=0.0)
    assert all(15 <= side <= 18 for w in generate(2, 30, config) for side in w.dies.shape)
    shapes = [w.dies.shape for w in generate(2, 150, SynthConfig(count_weights=(1,)))]
    sides = np.array(shapes, dtype=float)
    assert np.median(sides) < 50
    assert sides.min() < 20
    assert 128 < sides.max() <= 320
    assert 0.6 < np.mean(np.abs(np.log(sides[:, 0] / sides[:, 1])) < 0.15) < 1


def test_wafer_map_carries_labels_and_reticle() -> None:
    wafer = build_wafer(
        np.random.default_rng(3), SynthConfig(reticle_share=1), shape=(30, 30), classes=["center"]
    )
    made = wafer.to_wafermap("W01")
    assert isinstance(made, WaferMap)
    assert made.wafer_id == "W01"
    assert made.patterns == ("Center",)
    assert made.reticle == wafer.reticle
    assert np.array_equal(made.dies, wafer.dies)


def test_unknown_class_and_impossible_shape_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ConfigError, match="Use a class of this taxonomy"):
        build_wafer(rng, classes=["blob"])
    with pytest.raises(InputError, match="sides of 8 to 4096 dies, got 5x30"):
        build_wafer(rng, shape=(5, 30))
