"""Batches: the step decides, dies and targets move together, wafers lie where serving puts them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.ml.small import draw_dies
from waferscope.domain.wafermap import Reticle
from waferscope.infer.batching import canvas_shape, offset, stack
from waferscope.infer.fold import fold_rates
from waferscope.ml.augment import StrongConfig
from waferscope.ml.batches import Batch, BatchPlan, collate, for_whole_network, pick_bucket
from waferscope.ml.config import Bucket, Mix, TrainConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.data import Sample
from waferscope.synth import SynthConfig

CORPUS = Corpus(SynthConfig())
CONFIG = TrainConfig(
    "test",
    buckets=(Bucket(32, 3, 1.0, 0.0, Mix()), Bucket(64, 2, 0.0, 1.0, Mix())),
    steps=11,
    seed=4,
)


def same(one: Batch, other: Batch) -> bool:
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(one, other, strict=True))


def sample(rng: np.random.Generator, shape: tuple[int, int] = (20, 27)) -> Sample:
    """A wafer whose target is a function of its dies and of where they lie."""
    dies = draw_dies(rng, ["Random"], shape)
    place = np.arange(dies.size).reshape(shape) % 2
    target = np.where(dies == 0, -1, np.stack([dies == 2, place == 1])).astype(np.int8)
    return Sample(dies, target, np.array([True, False]), np.array([1, 0, -1], np.int8), 0.5)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    whole = BatchPlan(CONFIG, CORPUS, 0, 6)
    later = BatchPlan(CONFIG, CORPUS, 3, 3)
    backwards = {n: later[n] for n in (2, 0, 1)}
    assert len(whole) == 6
    for n in range(3):
        assert same(whole[3 + n], backwards[n])
    assert same(whole[0], whole[0])
    assert not same(whole[0], BatchPlan(replace(CONFIG, seed=5), CORPUS, 0, 1)[0])
    assert not torch.equal(whole[0].dies, whole[1].dies)


def test_a_run_may_ask_for_strong_changes() -> None:
    plain = BatchPlan(CONFIG, CORPUS, 0, 1)[0]
    strong = replace(CONFIG, strong=StrongConfig(noisy=1.0, dropped=1.0))
    changed = BatchPlan(strong, CORPUS, 0, 1)[0]
    assert same(changed, BatchPlan(strong, CORPUS, 0, 1)[0])
    assert not torch.equal(changed.dies, plain.dies)
    gone = (changed.dies == 0)[:, None].expand_as(changed.target)
    assert (changed.target[gone] == -1).all()


def test_a_plan_ends() -> None:
    plan = BatchPlan(CONFIG, CORPUS, 0, 2)
    for index in (2, -1):
        with pytest.raises(IndexError):
            plan[index]


def test_batches_have_the_shapes_of_the_contract() -> None:
    batch = BatchPlan(CONFIG, CORPUS, 0, 1)[0]
    shapes = [tuple(t.shape) for t in batch]
    assert shapes == [(3, 32, 32), (3, 32, 32), (3, 8, 32, 32), (3, 8), (3, 8), (3,)]
    kinds = [torch.uint8, torch.float32, torch.int8, torch.bool, torch.int8, torch.float32]
    assert [t.dtype for t in batch] == kinds
    assert set(batch.dies.flatten().tolist()) <= {0, 1, 2}
    assert (batch.target[(batch.dies == 0)[:, None].expand_as(batch.target)] == -1).all()


def test_the_label_branch_draws_from_every_bucket_on_the_largest_canvas() -> None:
    config = replace(CONFIG, glance=True)
    plan = BatchPlan(config, CORPUS, 3, 2)
    batch = plan[1]
    assert batch.dies.shape == (5, 64, 64)
    longest = [int(np.ptp(np.argwhere(dies.numpy() > 0), axis=0).max()) + 1 for dies in batch.dies]
    assert max(longest[:3]) <= 32 < min(longest[3:])
    assert same(batch, BatchPlan(config, CORPUS, 4, 1)[0])
    assert not same(batch, plan[0])


@pytest.mark.parametrize("kind", [{"glance": True}, {"sketch": True, "branch_rate": 0.5}])
def test_a_whole_network_sees_one_bucket_at_a_time(kind: dict[str, Any]) -> None:
    config = for_whole_network(replace(CONFIG, **kind))
    plan = BatchPlan(config, CORPUS, 0, 12)
    shapes = {tuple(plan[n].dies.shape) for n in range(12)}
    assert shapes == {(b.batch, b.side, b.side) for b in CONFIG.buckets}


def test_the_curriculum_moves_from_first_to_final_shares() -> None:
    rng = np.random.default_rng(0)

    def large(step: int) -> float:
        return float(np.mean([pick_bucket(CONFIG, step, rng).side == 64 for _ in range(400)]))

    assert large(0) == 0.0
    assert 0.42 < large(5) < 0.58
    assert large(10) == 1.0
    assert large(9_000_001) == 1.0


@pytest.mark.parametrize("shape", [(20, 27), (31, 32), (15, 22), (32, 9)])
def test_centred_wafers_lie_where_serving_puts_them(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    one, other = sample(rng, shape), replace(sample(rng, shape), reticle=Reticle(3, 3))
    canvas = canvas_shape(shape)
    batch = collate([one, other], canvas)
    np.testing.assert_array_equal(batch.dies, stack([one.dies, other.dies], canvas))
    rates = [fold_rates(one.dies, None), fold_rates(other.dies, Reticle(3, 3))]
    np.testing.assert_array_equal(batch.fold, stack(rates, canvas))
    top, left = offset(shape, canvas)
    known = np.zeros(canvas, bool)
    known[top : top + shape[0], left : left + shape[1]] = True
    np.testing.assert_array_equal(batch.target[0][:, known].reshape(one.target.shape), one.target)
    assert (batch.target[:, :, ~known] == -1).all()
    assert batch.bag.tolist() == [[True, False]] * 2
    assert batch.patterns.tolist() == [[1, 0, -1]] * 2
    assert batch.weight.tolist() == [0.5, 0.5]


def box(dies: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    rows, cols = np.flatnonzero(dies.any(axis=1)), np.flatnonzero(dies.any(axis=0))
    return dies[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def test_half_of_the_wafers_lie_anywhere_and_none_is_cut(rng: np.random.Generator) -> None:
    one = sample(rng, (12, 17))
    batch = collate([one] * 200, (32, 32), np.random.default_rng(0))
    places = set()
    for dies, target in zip(batch.dies.numpy(), batch.target.numpy(), strict=True):
        np.testing.assert_array_equal(box(dies), box(one.dies))
        np.testing.assert_array_equal(target[0] == 1, dies == 2)
        places.add(tuple(np.argwhere(dies)[0]))
    centred = collate([one], (32, 32)).dies[0]
    share = float((batch.dies == centred).flatten(1).all(dim=1).float().mean())
    assert 0.4 < share < 0.6
    assert len(places) > 50
