"""Masks scored as sets of dies, and marked as the predictor marks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.ml.scripted import Probs, scripted
from tests.ml.small import CLASSES, draw_dies
from waferscope.domain.masks import build_masks
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.masks import (
    backgrounds,
    by_kind,
    count_dies,
    count_patterns,
    longer_sides,
    mark,
    mask_figures,
    sum_dies,
)
from waferscope.ml.truth import Truth

EDGE, RANDOM = CLASSES.index("edge"), CLASSES.index("random")
HALF = (0.5,) * len(CLASSES)


def strip(name: str, there: float, elsewhere: float) -> tuple[Truth, Probs]:
    """A hundred failing dies of which three rows are `edge`, and what is said of five."""
    wafer = WaferMap(np.full((10, 10), 2, np.uint8), wafer_id=name)
    masks = np.zeros((8, 10, 10), bool)
    masks[EDGE, :3] = True
    probs = np.zeros((8, 10, 10), np.float32)
    probs[EDGE, :3], probs[EDGE, 3:5] = there, elsewhere
    return Truth(wafer, masks), probs


def answers_to(*made: tuple[Truth, Probs]) -> Answers:
    return ask(scripted({t.wafer.wafer_id: p for t, p in made}), [t for t, _ in made])


def figures(answers: Answers) -> dict[str, Any]:
    marked = mark(answers, HALF, DEFAULT_TAXONOMY)
    return figures_of(mask_figures(count_dies(answers, marked), CLASSES))


def test_masks_are_scored_pooled_over_wafers() -> None:
    """50 dies said of 30, then 30 of 30 of which 10 are ignored."""
    first, said = strip("a", 0.9, 0.9)
    second, other = strip("b", 0.9, 0.1)
    ignore = np.zeros((10, 10), bool)
    ignore[0] = True
    answers = answers_to((first, said), (Truth(second.wafer, second.masks, ignore), other))
    found = figures(answers)
    edge = found["classes"]["edge"]
    assert found["wafers"] == edge["wafers"] == 2
    assert edge["die_iou"]["value"] == pytest.approx((30 + 20) / (50 + 20))
    assert edge["precision"]["value"] == pytest.approx(50 / 70)
    assert edge["recall"]["value"] == 1.0
    assert edge["wafer_iou"]["value"] == pytest.approx((30 / 50 + 1.0) / 2)
    assert found["classes"]["ring"]["die_iou"]["value"] is None
    assert found["mean_die_iou"]["value"] == pytest.approx(50 / 70)
    assert found["mean_wafer_iou"]["value"] == pytest.approx(0.8)
    plain = count_dies(answers.unhidden(), mark(answers, HALF, DEFAULT_TAXONOMY))
    assert plain[:, EDGE].tolist() == [[30, 50, 30], [30, 30, 30]]


def test_a_class_marked_where_there_is_none_scores_0_and_leaves_the_mean() -> None:
    truth, said = strip("a", 0.9, 0.0)
    said[RANDOM] = 0.8
    found = figures(answers_to((truth, said)))
    assert found["classes"]["random"]["die_iou"]["value"] == 0.0
    assert found["classes"]["random"]["recall"]["value"] is None
    assert found["mean_die_iou"]["value"] == 1.0


def test_a_mark_on_a_wafer_without_the_class_is_an_error() -> None:
    first, said = strip("a", 0.9, 0.0)
    other = WaferMap(np.full((10, 10), 2, np.uint8), wafer_id="b")
    nothing = Truth(other, np.zeros((8, 10, 10), bool))
    found = figures(answers_to((first, said), (nothing, said)))
    assert found["classes"]["edge"]["die_iou"]["value"] == pytest.approx(30 / 60)
    assert found["classes"]["edge"]["wafer_iou"]["value"] == 1.0


@pytest.fixture
def noisy(rng: np.random.Generator) -> Answers:
    """Wafers with blurred random probabilities: regions of many sizes, specks among them."""

    def made() -> Iterator[tuple[Truth, Probs]]:
        for n, shape in enumerate([(20, 24), (31, 15), (40, 40)]):
            dies = draw_dies(rng, ["Random"], shape)
            wafer = WaferMap(dies, wafer_id=str(n))
            masks = (rng.random((8, *shape)) < 0.2) & (dies == 2)
            yield Truth(wafer, masks), rng.random((8, *shape), np.float32) * (dies > 0)

    return answers_to(*made())


def test_marks_are_those_of_build_masks(noisy: Answers) -> None:
    thresholds = tuple(np.linspace(0.5, 0.97, 8))
    marked = mark(noisy, thresholds, DEFAULT_TAXONOMY)
    for n, wafer in enumerate(noisy.wafers):
        grid = noisy.grid(n, noisy.probs[:, noisy.dies(n)])
        expected = build_masks(grid, wafer.dies, thresholds, DEFAULT_TAXONOMY)
        np.testing.assert_array_equal(noisy.grid(n, marked[:, noisy.dies(n)]), expected)
    assert (marked != (noisy.probs >= np.array(thresholds, np.float32)[:, None])).any()


def test_sums_by_wafer_against_a_loop(noisy: Answers) -> None:
    sums = sum_dies(noisy, noisy.truth)
    for n in range(len(noisy)):
        assert sums[n].tolist() == noisy.truth[:, noisy.dies(n)].sum(axis=1).tolist()


def test_kinds_are_counted_from_dies_and_truth() -> None:
    truth, said = strip("a", 0.9, 0.0)
    dies = np.ones((40, 33), np.uint8)
    dies[0, :33] = 2
    calm = Truth(WaferMap(dies, wafer_id="b"), np.zeros((8, 40, 33), bool))
    answers = answers_to((truth, said), (calm, np.zeros((8, 40, 33), np.float32)))
    assert longer_sides(answers).tolist() == [10, 40]
    assert count_patterns(answers).tolist() == [1, 0]
    assert backgrounds(answers) == pytest.approx([1.0, 1 / 40])
    counts = count_dies(answers, mark(answers, HALF, DEFAULT_TAXONOMY))
    kinds = figures_of(by_kind(counts, answers, CLASSES))
    assert {k: v["wafers"] for k, v in kinds["by_side"].items()} == {"0-32": 1, "32-64": 1}
    assert {k: v["wafers"] for k, v in kinds["by_patterns"].items()} == {"0": 1, "1": 1}
    assert set(kinds["by_background"]) == {"0.02-0.08", "0.16-1"}
    assert kinds["by_patterns"]["1"]["die_iou"]["edge"]["value"] == 1.0
    assert kinds["by_patterns"]["0"]["mean_die_iou"]["value"] is None
