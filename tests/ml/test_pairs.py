"""Two views of a wafer, and the way from each die of the strong one back to the weak one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.ml.small import draw_dies
from tests.ml.test_augment import NOTHING, STILL, known_sample, spot
from waferscope.errors import ConfigError
from waferscope.infer.batching import crop
from waferscope.ml.augment import StrongConfig
from waferscope.ml.config import Bucket, Mix, SemiConfig, TrainConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.pairs import PairBatch, PairPlan, canvas_cells, pair, unlabelled_count
from waferscope.synth import SynthConfig

CANVAS = (32, 32)
CONFIG = TrainConfig(
    "test", buckets=(Bucket(32, 6, 1.0, 1.0, Mix()),), steps=9, seed=3, semi=SemiConfig()
)


def flat(batch: PairBatch) -> list[torch.Tensor]:
    return [*batch.labelled, *batch.weak, *batch.strong, batch.source]


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    corpus = Corpus(SynthConfig())
    whole, later = PairPlan(CONFIG, corpus, 0, 4), PairPlan(CONFIG, corpus, 2, 2)
    pairs = zip(flat(whole[3]), flat(later[1]), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(whole[0].weak.dies, whole[1].weak.dies)
    assert [len(part.dies) for part in whole[0][:3]] == [6, 3, 3]
    with pytest.raises(IndexError):
        whole[4]
    with pytest.raises(ConfigError, match="semi"):
        PairPlan(replace(CONFIG, semi=None), corpus, 0, 1)[0]


@pytest.mark.parametrize(("ratio", "batch", "count"), [(0.5, 2, 1), (2.0, 3, 6), (0.1, 4, 1)])
def test_unlabelled_wafers_come_on_top_one_at_least(ratio: float, batch: int, count: int) -> None:
    assert unlabelled_count(SemiConfig(ratio=ratio), batch) == count


@pytest.mark.parametrize("shape", [(20, 27), (27, 20), (32, 32), (15, 22)])
def test_every_die_of_the_strong_view_is_found_in_the_weak_one(shape: tuple[int, int]) -> None:
    """Without noise a die has there the state it has here; missing dies lead nowhere."""
    rng = np.random.default_rng(0)
    dies = [draw_dies(rng, ["Loc"], shape) for _ in range(16)]
    config = replace(STILL, turned=0.5, dropped=1.0)
    batch = pair(dies, [known_sample()], CANVAS, rng, config)
    weak = batch.weak.dies.flatten(1)
    for here, there, place in zip(batch.strong.dies, weak, batch.source, strict=True):
        on = here > 0
        assert torch.equal(place >= 0, on)
        assert torch.equal(there[place[on]], here[on])


def test_both_views_cover_the_symmetries() -> None:
    one = draw_dies(np.random.default_rng(0), ["Loc", "Scratch"], (20, 27))
    batch = pair([one] * 60, [known_sample()], CANVAS, np.random.default_rng(1), STILL)
    for view in (batch.weak, batch.strong):
        assert len({dies.numpy().tobytes() for dies in view.dies}) == 8
    assert (batch.weak.target == -1).all()
    assert not batch.weak.patterns.any()


def test_what_is_laid_on_the_strong_view_is_known_there_alone() -> None:
    donor = known_sample(("particle", spot((31, 31), 0.5, 0.0, 0.3)))
    donor = replace(donor, patterns=NOTHING + 1)
    plain = draw_dies(np.random.default_rng(0), (), (31, 31))
    config = replace(STILL, pasted=1.0)
    batch = pair([plain] * 8, [donor], CANVAS, np.random.default_rng(1), config)
    laid = (batch.strong.target == 1).any(dim=1)
    assert laid.flatten(1).any(dim=1).all()
    assert (batch.strong.dies[laid] == 2).all()
    assert (batch.strong.patterns.sum(dim=1) == 1).all()
    assert (batch.weak.target == -1).all()


def test_the_label_of_a_synthetic_pattern_is_not_brought_along() -> None:
    donor = known_sample(("particle", spot((31, 31), 0.5, 0.0, 0.3)))
    donor = replace(donor, patterns=NOTHING + 1, weight=0.3)
    plain = draw_dies(np.random.default_rng(0), (), (31, 31))
    config = replace(STILL, pasted=1.0)
    batch = pair([plain] * 8, [donor], CANVAS, np.random.default_rng(1), config)
    assert (batch.strong.target == 1).flatten(1).any(dim=1).all()
    assert not batch.strong.patterns.any()


def test_a_die_that_is_gone_is_in_no_zone() -> None:
    donor = known_sample(("particle", spot((31, 31), 0.5, 0.0, 0.3)))
    plain = draw_dies(np.random.default_rng(0), (), (31, 31))
    config = replace(STILL, pasted=1.0, dropped=1.0)
    batch = pair([plain] * 30, [donor], CANVAS, np.random.default_rng(1), config)
    laid = (batch.strong.target == 1).any(dim=1)
    assert laid.any()
    assert (batch.strong.dies[laid] > 0).all()


def test_strong_views_differ_from_weak_ones() -> None:
    dies = [draw_dies(np.random.default_rng(n), ["Donut"], (31, 31)) for n in range(12)]
    batch = pair(dies, [known_sample()], CANVAS, np.random.default_rng(1), StrongConfig())
    away = batch.weak.dies.flatten(1).gather(1, batch.source.flatten(1).clamp(min=0))
    kept = (away.view_as(batch.strong.dies) == batch.strong.dies) & (batch.source >= 0)
    share = (kept.flatten(1).sum(1) / (batch.source >= 0).flatten(1).sum(1)).mean()
    assert 0.9 < float(share) < 1.0


def test_canvas_cells_are_those_of_a_centred_wafer() -> None:
    canvas = np.zeros(CANVAS, np.int64)
    crop(canvas, (9, 20))[:] = np.arange(180).reshape(9, 20)
    cells = canvas_cells(CANVAS, (9, 20))
    np.testing.assert_array_equal(canvas.ravel()[cells], np.arange(180).reshape(9, 20))
