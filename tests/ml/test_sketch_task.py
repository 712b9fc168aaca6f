"""Training the sketch: it alone learns, its mean ships, and labels stay as they are."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.ml.small import TINY, build_net, short_run, take_steps
from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, LossConfig, Mix, SemiConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.sketch_batches import SketchBatch, SketchPlan
from waferscope.ml.sketch_task import SketchTask, sketch_loss, sketch_of
from waferscope.ml.task import ABOUT
from waferscope.ml.thumbnail import SIDE
from waferscope.ml.train import follow_start, load_network, train
from waferscope.synth import SynthConfig

CONFIG = replace(
    short_run(),
    sketch=True,
    buckets=(Bucket(32, 4, 1.0, 1.0, Mix()), Bucket(64, 2, 1.0, 1.0, Mix())),
    start_from=Path("net.ckpt"),
)
PLAIN = replace(TINY, sketch=())


@pytest.fixture
def task() -> SketchTask:
    begun = SketchTask(CONFIG)
    begun.start_from(build_net())
    return begun


@pytest.fixture
def batch() -> SketchBatch:
    return SketchPlan(CONFIG, Corpus(SynthConfig()), 0, 1)[0]


def test_a_step_reaches_the_sketch_and_nothing_else(task: SketchTask, batch: SketchBatch) -> None:
    before = {n: v.clone() for n, v in task.net.state_dict().items()}
    take_steps(task, batch, 1, 1.0e-2)
    changed = {n for n, v in task.net.state_dict().items() if not torch.equal(v, before[n])}
    assert all(name.startswith("sketch.") for name in changed)
    learning = {n for n, p in task.net.named_parameters() if p.requires_grad}
    assert learning <= changed
    assert learning == {f"sketch.{n}" for n, _ in sketch_of(task.net).named_parameters()}


def test_steps_lower_the_loss_of_their_batch(task: SketchTask, batch: SketchBatch) -> None:
    losses = take_steps(task, batch, 6, 1.0e-2)
    assert losses[-1] < 0.9 * losses[0]


def test_the_mean_follows(task: SketchTask) -> None:
    mean = sketch_of(task.mean).head.bias
    mine = sketch_of(task.net).head.bias
    assert mean is not None
    assert mine is not None
    with torch.no_grad():
        mine.add_(1.0)
    gap = float((mine - mean).abs().max())
    task.on_train_batch_end()
    assert 0.0 < float((mine - mean).abs().max()) < gap


def test_the_loss_of_shares_against_a_loop() -> None:
    """Cells of failing and passing dies, some unknown: focal of both, Dice of fails alone."""
    torch.manual_seed(3)
    logits = torch.randn(2, 3, 4, 4)
    known = torch.rand(2, 2, 3, 4, 4) * (torch.rand(2, 2, 3, 4, 4) > 0.2)
    inside = known * torch.rand(2, 2, 3, 4, 4)
    fails, passes = (torch.stack([inside[n], known[n]], dim=1) for n in (0, 1))
    config = LossConfig(passing=0.25, focal_gamma=1.0)
    both, said, there = torch.zeros(3), torch.zeros(3), torch.zeros(3)
    cost, weights, positives = torch.zeros(3), torch.zeros(3), torch.zeros(3)
    for b, c, row, col in np.ndindex(2, 3, 4, 4):
        at = (b, c, row, col)
        fail, fail_known, passing, passing_known = (
            float(part[at]) for part in (inside[0], known[0], inside[1], known[1])
        )
        p = float(torch.sigmoid(logits[at]))
        weight = fail_known + 0.25 * passing_known
        share = (fail + 0.25 * passing) / max(weight, 1e-6)
        entropy = -(share * math.log(p) + (1.0 - share) * math.log(1.0 - p))
        cost[c] += weight * abs(share - p) * entropy
        weights[c], positives[c] = weights[c] + weight, positives[c] + weight * share
        both[c], said[c], there[c] = both[c] + p * fail, said[c] + p * fail_known, there[c] + fail
    focal = (cost / (positives + 0.05 * weights).clamp(min=1.0)).mean()
    dice = (1.0 - (2.0 * both + 5.0) / (said + there + 5.0)).mean()
    found = float(sketch_loss(logits, SketchBatch(torch.empty(0), fails, passes), config))
    assert found == pytest.approx(float(focal + dice), rel=1e-4)


def test_right_cells_cost_less_than_wrong_ones_and_unknown_ones_nothing() -> None:
    inside = torch.zeros(1, 1, SIDE, SIDE)
    inside[..., :20] = 0.5
    known = torch.full_like(inside, 0.5)
    known[..., 40:] = 0.0
    fails = torch.stack([inside, known], dim=1)
    batch = SketchBatch(torch.zeros(1, 5, SIDE, SIDE), fails, torch.zeros_like(fails))
    right = torch.where(inside > 0, 6.0, -6.0)
    elsewhere = torch.where(known > 0, right, 6.0)
    config = LossConfig()
    cost = float(sketch_loss(right, batch, config))
    assert cost == pytest.approx(float(sketch_loss(elsewhere, batch, config)))
    assert cost < 0.02
    assert float(sketch_loss(-right, batch, config)) > 2.0


def test_a_run_begins_with_a_network_that_lacks_a_sketch(tmp_path: Path) -> None:
    whole = replace(short_run(), model=PLAIN, steps=2, round_steps=2, workers=0)
    first = train(whole, tmp_path / "first")
    last = train(
        replace(CONFIG, steps=4, round_steps=2, workers=0, start_from=first), tmp_path / "run"
    )
    (before, _), (net, about) = load_network(first), load_network(last)
    assert about["steps"] == 4
    assert net.sketch is not None
    for name, value in before.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value)


def test_other_runs_keep_the_sketch_of_what_they_go_on_with(
    tmp_path: Path, fp32_file: Path
) -> None:
    plain = replace(short_run(), model=PLAIN, start_from=tmp_path / "last.ckpt")
    net = build_net()
    state = {f"ema.module.{name}": value for name, value in net.state_dict().items()}
    about = {"model": asdict(net.config), "recipe": "smoke", "steps": 1}
    torch.save({ABOUT: about, "state_dict": state}, tmp_path / "last.ckpt")
    assert follow_start(plain, tmp_path / "new").model.sketch == TINY.sketch
    from_file = replace(plain, start_from=fp32_file)
    assert follow_start(from_file, tmp_path / "new").model.sketch == TINY.sketch
    assert follow_start(replace(plain, start_from=None), tmp_path / "new").model.sketch == ()
    assert follow_start(replace(plain, start_from=None), tmp_path).model.sketch == TINY.sketch


def test_a_run_of_another_kind_goes_on_with_a_network_that_sketches(tmp_path: Path) -> None:
    first = train(
        replace(short_run(), model=TINY, steps=1, round_steps=1, workers=0), tmp_path / "first"
    )
    kept = replace(short_run(), model=PLAIN, steps=1, round_steps=1, workers=0, start_from=first)
    net, about = load_network(train(kept, tmp_path / "kept"))
    assert net.config == TINY
    assert about["recipe"] == kept.name
    named, _ = load_network(train(replace(kept, glance=True), tmp_path / "named"))
    assert named.config == PLAIN  # the branch moves on: what was drawn from it goes


def test_what_it_draws_from_has_to_be_trained() -> None:
    with pytest.raises(ConfigError, match="sketches"):
        SketchTask(replace(CONFIG, model=PLAIN))
    with pytest.raises(ConfigError, match="trained network"):
        SketchTask(replace(CONFIG, start_from=None))
    with pytest.raises(ConfigError, match="label branch"):
        SketchTask(CONFIG).start_from(build_net(config=replace(PLAIN, glance=0)))


@pytest.mark.parametrize("other", [{"glance": True}, {"semi": SemiConfig()}])
def test_the_sketch_is_trained_by_itself(other: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="a run of the sketch, got one that also asks"):
        replace(CONFIG, **other)  # type: ignore[arg-type]
