"""The rule is the best of the grid by brute force, and within the bound on alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import waferscope.ml.evaluation.mask_rule as module
from tests.ml.scripted import Probs, scripted
from tests.ml.small import CLASSES
from waferscope.domain.masks import build_masks
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.mask_rule import GRID, LIMITS, Trials, fit_rule, try_rules
from waferscope.ml.truth import Truth

EDGE, SCRATCH, LITHO = (CLASSES.index(n) for n in ("edge", "scratch", "lithography"))


def fails(name: str) -> WaferMap:
    return WaferMap(np.full((10, 10), 2, np.uint8), wafer_id=name)


def wafer(
    name: str, channel: int, there: float, elsewhere: float, rows: int = 3
) -> tuple[Truth, Probs]:
    """A hundred failing dies: a class on the first rows, and what is said of them and of more."""
    masks = np.zeros((8, 10, 10), bool)
    masks[channel, :rows] = True
    probs = np.zeros((8, 10, 10), np.float32)
    probs[channel, :rows], probs[channel, 6:8] = there, elsewhere
    return Truth(fails(name), masks), probs


def noise_wafer(name: str, channel: int, prob: float, dies: int) -> tuple[Truth, Probs]:
    probs = np.zeros((8, 10, 10), np.float32)
    probs[channel].ravel()[:dies] = prob
    return Truth(fails(name), np.zeros((8, 10, 10), bool)), probs


def answers_to(*made: tuple[Truth, Probs]) -> Answers:
    return ask(scripted({t.wafer.wafer_id: p for t, p in made}), [t for t, _ in made])


def trials(*made: tuple[Truth, Probs]) -> Trials:
    return try_rules(answers_to(*made), DEFAULT_TAXONOMY)


@pytest.fixture
def random_answers(rng: np.random.Generator) -> Answers:
    made = []
    for n, shape in enumerate([(18, 25), (30, 22)]):
        dies = rng.integers(0, 3, shape).astype(np.uint8)
        masks = (rng.random((8, *shape)) < 0.4) & (dies == 2)
        probs = (rng.random((8, *shape)) ** 2).astype(np.float32) * (dies > 0)
        ignore = rng.random(shape) < 0.1
        made.append((Truth(WaferMap(dies, wafer_id=str(n)), masks, ignore), probs))
    return answers_to(*made)


def test_each_trial_is_what_the_predictor_would_mark(random_answers: Answers) -> None:
    found = try_rules(random_answers, DEFAULT_TAXONOMY)
    for t, m in ((0, 0), (5, 1), (20, 2), (30, 3)):
        classes = [
            replace(c, min_dies=max(c.min_dies, LIMITS[m])) for c in DEFAULT_TAXONOMY.classes
        ]
        taxonomy = replace(DEFAULT_TAXONOMY, classes=tuple(classes))
        counts = np.zeros((8, 3), int)
        ious = np.zeros(8)
        for n, one in enumerate(random_answers.wafers):
            dies = random_answers.dies(n)
            grid = random_answers.grid(n, random_answers.probs[:, dies])
            masks = build_masks(grid, one.dies, [GRID[t]] * 8, taxonomy)[:, one.dies == 2]
            assert masks.any(axis=1).tolist() == found.marked[:, t, m, n].tolist()
            masks &= ~random_answers.ignore[dies]
            truth = random_answers.truth[:, dies] & ~random_answers.ignore[dies]
            counts += np.stack([(masks & truth).sum(1), masks.sum(1), truth.sum(1)], axis=1)
            ious += (masks & truth).sum(1) / (masks | truth).sum(1)
        np.testing.assert_array_equal(found.counts[:, t, m], counts)
        np.testing.assert_allclose(found.wafer_iou[:, t, m], ious)
    assert found.wafers.tolist() == [2] * 8


def test_halves_add_up_to_the_whole(random_answers: Answers) -> None:
    first = np.array([True, False])
    both = [try_rules(random_answers.take(k), DEFAULT_TAXONOMY) for k in (first, ~first)]
    whole, added = try_rules(random_answers, DEFAULT_TAXONOMY), both[0] + both[1]
    for name in ("counts", "wafers", "marked"):
        np.testing.assert_array_equal(getattr(added, name), getattr(whole, name))
    np.testing.assert_allclose(added.wafer_iou, whole.wafer_iou)


def test_a_threshold_parts_what_can_be_parted_in_the_middle() -> None:
    """Every threshold above 0.2 and up to 0.8 is as good: the middle one is taken."""
    rule = fit_rule([trials(wafer("a", EDGE, 0.8, 0.2))], trials(), DEFAULT_TAXONOMY)
    assert rule.thresholds[EDGE] == pytest.approx(0.52)
    assert rule.taxonomy == DEFAULT_TAXONOMY


def test_a_class_that_never_occurs_keeps_one_half() -> None:
    rule = fit_rule([trials(wafer("a", EDGE, 0.8, 0.2))], trials(), DEFAULT_TAXONOMY)
    assert {t for n, t in enumerate(rule.thresholds) if n != EDGE} == {0.5}


def test_every_set_counts_the_same_however_large() -> None:
    """Ten wafers want a low threshold and one a high one: by sets it is a draw, not ten to one."""
    low = [wafer(f"low{n}", EDGE, 0.4, 0.1) for n in range(10)]
    high = wafer("high", EDGE, 0.9, 0.85, rows=1)
    crowd, one = trials(*low), trials(high)
    apart = fit_rule([crowd, one], trials(), DEFAULT_TAXONOMY)
    pooled = fit_rule([crowd + one], trials(), DEFAULT_TAXONOMY)
    assert 0.1 < pooled.thresholds[EDGE] <= 0.4
    scores = [s.score()[EDGE, :, 0] for s in (crowd, one)]
    best = GRID[int(np.mean(scores, axis=0).argmax())]
    assert (apart.thresholds[EDGE] > 0.4) == (best > 0.4)


def test_alarms_raise_the_threshold_as_far_as_the_bound_asks() -> None:
    sets = [trials(wafer("a", SCRATCH, 0.8, 0.0))]
    noise = trials(*(noise_wafer(str(n), SCRATCH, 0.3 + n / 100, 40) for n in range(20)))
    free = fit_rule(sets, noise, DEFAULT_TAXONOMY, most_alarms=1.0)
    bound = fit_rule(sets, noise, DEFAULT_TAXONOMY, most_alarms=0.05)
    for rule, most in ((free, 1.0), (bound, 0.05)):
        t = int(np.flatnonzero(rule.thresholds[SCRATCH] == GRID)[0])
        assert noise.marked[SCRATCH, t, 0].mean() <= most
    assert 0.49 < bound.thresholds[SCRATCH] <= 0.8


def test_a_size_limit_is_raised_where_alarms_are_small_and_defects_large() -> None:
    """Chance lines are as sure as the scratch, but have 6 dies against its 30."""
    sets = [trials(wafer("a", SCRATCH, 0.8, 0.0))]
    noise = trials(*(noise_wafer(str(n), SCRATCH, 0.9, 6) for n in range(20)))
    rule = fit_rule(sets, noise, DEFAULT_TAXONOMY, most_alarms=0.01)
    assert rule.taxonomy.classes[SCRATCH].min_dies == 8
    assert rule.taxonomy.classes[EDGE] == DEFAULT_TAXONOMY.classes[EDGE]
    assert rule.thresholds[SCRATCH] <= 0.8


def test_what_one_class_leaves_of_the_bound_another_may_spend() -> None:
    """Two classes alarm alike; the bound has room for one, and dearer marks get it."""
    sets = [trials(wafer("a", SCRATCH, 0.5, 0.0)), trials(wafer("b", EDGE, 0.5, 0.0))]
    made = [noise_wafer(f"s{n}", SCRATCH, 0.6, 40) for n in range(3)]
    made += [noise_wafer(f"e{n}", EDGE, 0.6, 40) for n in range(2)]
    made += [noise_wafer(f"q{n}", EDGE, 0.0, 40) for n in range(15)]
    noise = trials(*made)
    rule = fit_rule(sets, noise, DEFAULT_TAXONOMY, most_alarms=0.1)
    assert rule.thresholds[SCRATCH] > 0.6
    assert rule.thresholds[EDGE] <= 0.5
    generous = fit_rule(sets, noise, DEFAULT_TAXONOMY, most_alarms=0.25)
    assert max(generous.thresholds[EDGE], generous.thresholds[SCRATCH]) <= 0.5


def test_a_small_defect_is_not_given_up_for_large_ones() -> None:
    """By dies the small scratch hardly counts; by wafers it is half of what there is."""
    large, small = wafer("a", SCRATCH, 0.8, 0.0, rows=6), wafer("b", SCRATCH, 0.8, 0.0, rows=0)
    small[0].masks[SCRATCH, 9, :6] = True
    small[1][SCRATCH, 9, :6] = 0.8
    rule = fit_rule([trials(large, small)], trials(), DEFAULT_TAXONOMY)
    assert rule.taxonomy.classes[SCRATCH].min_dies <= 6


def test_lattices_and_graded_areas_are_one_region() -> None:
    """Twenty scattered dies of lithography are one lattice, larger than every limit."""
    probs = np.zeros((8, 10, 10), np.float32)
    probs[LITHO, ::2, ::3] = 0.7
    found = trials((Truth(fails("a"), np.zeros((8, 10, 10), bool)), probs))
    t = int(np.flatnonzero(GRID == 0.5)[0])
    assert found.marked[LITHO, t, :, 0].all()
    assert found.counts[LITHO, t, :, 1].tolist() == [20] * len(LIMITS)


def test_prices_reach_from_nothing_to_giving_a_class_up() -> None:
    assert module.PRICES[0] < 1
    assert module.PRICES[-1] > 100
    noise = trials(*(noise_wafer(str(n), EDGE, 0.97, 60) for n in range(10)))
    rule = fit_rule([trials(wafer("a", EDGE, 0.9, 0.0))], noise, DEFAULT_TAXONOMY, 0.0)
    assert rule.thresholds[EDGE] == GRID[-1]
