"""Batches of thumbnails: what the network would see, and the dies of each cell, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.ml.small import CLASSES, draw_dies, short_run
from waferscope.domain.wafermap import Reticle
from waferscope.ml.batches import collate
from waferscope.ml.config import Bucket, Mix
from waferscope.ml.corpus import Corpus
from waferscope.ml.data import Sample
from waferscope.ml.model import FOLD, WaferNet
from waferscope.ml.sketch_batches import SketchPlan, shrink
from waferscope.ml.thumbnail import SIDE
from waferscope.synth import SynthConfig

CONFIG = replace(
    short_run(),
    sketch=True,
    buckets=(Bucket(32, 3, 1.0, 1.0, Mix()), Bucket(96, 2, 1.0, 1.0, Mix())),
)
CORPUS = Corpus(SynthConfig())


def sample(rng: np.random.Generator, shape: tuple[int, int]) -> Sample:
    """A wafer without empty rows whose dies are in the zone, outside or unknown by chance."""
    dies = draw_dies(rng, ["Loc"], shape)
    dies[0, 0] = dies[-1, -1] = 1
    target = rng.integers(-1, 2, (len(CLASSES), *shape)).astype(np.int8)
    return Sample(dies, target, np.zeros(len(CLASSES), bool), np.zeros(8, np.int8))


def test_a_small_wafer_fills_cells_die_by_die(rng: np.random.Generator) -> None:
    one = sample(rng, (32, 16))
    batch = shrink([one])
    for part, kind in ((batch.fails, 2), (batch.passes, 1)):
        for n, fact in enumerate((one.target == 1, one.target >= 0)):
            asked = (fact & (one.dies == kind)).repeat(2, axis=1).repeat(4, axis=2)
            np.testing.assert_allclose(part[0, n].numpy(), asked, atol=1e-3)


def test_a_large_wafer_is_averaged(rng: np.random.Generator) -> None:
    one = sample(rng, (128, 192))
    asked = ((one.target == 1) & (one.dies == 2)).reshape(8, SIDE, 2, SIDE, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(shrink([one]).fails[0, 0].numpy(), asked, atol=2e-3)


def test_planes_are_those_that_the_network_draws_from(net: WaferNet) -> None:
    """Of a wafer whose third column of each field fails, somewhere on a larger canvas."""
    dies = np.ones((27, 25), np.uint8)
    dies[:, 2::5] = 2
    one = replace(sample(np.random.default_rng(0), dies.shape), dies=dies, reticle=Reticle(3, 5))
    batch = collate([one], (64, 96), np.random.default_rng(8))
    assert not batch.dies[0, 0].any()
    planes = shrink([one]).planes
    assert planes.shape == (1, 5, SIDE, SIDE)
    assert 0.0 < float(planes[:, 4].mean()) < 1.0
    assert net.glance is not None
    with torch.no_grad():
        seen = net.glance.see(batch.dies)
        fold = net.encode(batch.dies, batch.fold)[:, FOLD : FOLD + 1]
    torch.testing.assert_close(planes[:, :4], seen.planes, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(planes[:, 4:], seen.lattice.shrink(fold), rtol=1e-4, atol=1e-4)


def test_a_step_draws_from_all_buckets_and_from_its_number_alone() -> None:
    plan = SketchPlan(CONFIG, CORPUS, 3, 2)
    batch = plan[1]
    kinds = [(5, 5, SIDE, SIDE), (5, 2, 8, SIDE, SIDE), (5, 2, 8, SIDE, SIDE)]
    assert [tuple(part.shape) for part in batch] == kinds
    again = SketchPlan(CONFIG, CORPUS, 4, 1)[0]
    assert all(torch.equal(*pair) for pair in zip(batch, again, strict=True))
    assert not torch.equal(batch.planes, plan[0].planes)
    with pytest.raises(IndexError):
        plan[2]


def test_what_lies_in_a_zone_is_known() -> None:
    batch = SketchPlan(CONFIG, CORPUS, 0, 1)[0]
    for part in (batch.fails, batch.passes):
        inside, known = part.float().unbind(dim=1)
        assert bool((inside <= known + 1e-3).all())
        assert float(inside.sum()) > 0.0
