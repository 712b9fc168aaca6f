"""FixMatch for the label branch: the mean teaches, only what it is sure of, by its shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.ml.small import PATTERNS, short_run
from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, Mix, SemiConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.glance_semi import GlanceSemiTask
from waferscope.ml.pairs import PairPlan
from waferscope.ml.train import load_network, train
from waferscope.synth import SynthConfig

CONFIG = replace(
    short_run(),
    glance=True,
    semi=SemiConfig(wait=0.0, ramp=0.0),
    buckets=(Bucket(32, 4, 1.0, 1.0, Mix()), Bucket(64, 2, 1.0, 1.0, Mix())),
    steps=4,
)
SHARES = torch.full((len(PATTERNS),), 0.25)


def run(task: GlanceSemiTask, index: int = 0) -> float:
    batch = PairPlan(CONFIG, Corpus(SynthConfig()), 0, 4)[index]
    return float(task.training_step(batch, index).detach())


def test_batches_pair_unlabelled_wafers_of_every_bucket() -> None:
    batch = PairPlan(CONFIG, Corpus(SynthConfig()), 0, 1)[0]
    assert batch.labelled.dies.shape == (6, 64, 64)
    assert batch.weak.dies.shape == batch.strong.dies.shape == (3, 64, 64)


def test_the_teacher_is_the_mean_and_stands_still() -> None:
    torch.manual_seed(0)
    task = GlanceSemiTask(CONFIG, "", SHARES)
    mean = task.branch_of(task.mean)
    before = {name: value.clone() for name, value in mean.state_dict().items()}
    dies = torch.randint(0, 3, (5, 64, 64), dtype=torch.uint8)
    labels = task.teach(dies)
    assert labels.shape == (5, len(PATTERNS))
    assert set(labels.flatten().tolist()) <= {-1, 0, 1}
    assert all(torch.equal(value, before[name]) for name, value in mean.state_dict().items())
    assert int(task.thresholds.count) == 5


def test_a_sure_teacher_is_followed_and_an_unsure_one_is_not() -> None:
    losses = {}
    for bias in (-9.0, 0.2):
        torch.manual_seed(0)
        task = GlanceSemiTask(CONFIG, "", 0 * SHARES)
        mean = task.branch_of(task.mean)
        torch.nn.init.zeros_(mean.head.weight)
        torch.nn.init.constant_(mean.head.bias, bias)
        mine = task.branch_of(task.net)
        torch.nn.init.zeros_(mine.head.weight)
        torch.nn.init.constant_(mine.head.bias, 3.0)  # wrong about every "no"
        losses[bias] = run(task)
    assert losses[-9.0] > losses[0.2] + 0.5


def test_a_run_goes_through_and_keeps_its_thresholds(tmp_path: Path) -> None:
    last = train(replace(CONFIG, round_steps=2, workers=0), tmp_path / "run")
    net, about = load_network(last)
    assert about["steps"] == 4
    assert net.glance is not None
    state = torch.load(last, weights_only=True)["state_dict"]
    assert int(state["thresholds.count"]) == 12


def test_settings_for_unlabelled_wafers_are_needed() -> None:
    with pytest.raises(ConfigError, match="semi"):
        GlanceSemiTask(replace(CONFIG, semi=None), "", SHARES)
