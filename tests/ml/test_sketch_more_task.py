"""Training the sketch and its features together: labels are held by what the branch said."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.ml.small import TINY, build_net, short_run
from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, LossConfig, Mix
from waferscope.ml.corpus import Corpus
from waferscope.ml.sketch_batches import SketchBatch, SketchPlan
from waferscope.ml.sketch_more_task import SketchMoreTask, drift
from waferscope.ml.sketch_task import glance_of, look, sketch_of
from waferscope.ml.train import load_network, train
from waferscope.synth import SynthConfig

CONFIG = replace(
    short_run(),
    sketch=True,
    branch_rate=0.25,
    buckets=(Bucket(32, 4, 1.0, 1.0, Mix()), Bucket(64, 2, 1.0, 1.0, Mix())),
    start_from=Path("net.ckpt"),
)


@pytest.fixture
def task() -> SketchMoreTask:
    begun = SketchMoreTask(CONFIG)
    begun.start_from(build_net())
    return begun


@pytest.fixture
def batch() -> SketchBatch:
    return SketchPlan(CONFIG, Corpus(SynthConfig()), 0, 1)[0]


def step(task: SketchMoreTask, batch: SketchBatch, count: int, rate: float) -> list[float]:
    """Take some steps; return the losses before each."""
    optimizer = task.configure_optimizers()["optimizer"]
    losses = []
    for _ in range(count):
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = task.training_step(batch, 0)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return losses


def test_a_step_moves_the_branch_and_the_sketch_and_nothing_else(
    task: SketchMoreTask, batch: SketchBatch
) -> None:
    before = {n: v.clone() for n, v in task.net.state_dict().items()}
    taught = {n: v.clone() for n, v in task.teacher.state_dict().items()}
    step(task, batch, 2, 1.0e-2)
    changed = {n for n, v in task.net.state_dict().items() if not torch.equal(v, before[n])}
    assert all(name.startswith(("glance.", "sketch.")) for name in changed)
    learning = {n for n, p in task.net.named_parameters() if p.requires_grad}
    assert learning <= changed
    assert {n for n in changed if n.startswith("glance.")} <= learning, "norms saw something new"
    for name, value in task.teacher.state_dict().items():
        assert torch.equal(value, taught[name])


def test_steps_lower_the_loss_of_their_batch(task: SketchMoreTask, batch: SketchBatch) -> None:
    losses = step(task, batch, 6, 1.0e-2)
    assert losses[-1] < 0.9 * losses[0]


def test_labels_are_held(batch: SketchBatch) -> None:
    """The same steps move labels less where their drift weighs more."""
    gone = []
    for weight in (0.0, 100.0):
        task = SketchMoreTask(replace(CONFIG, loss=LossConfig(patterns=weight)))
        task.start_from(build_net())
        step(task, batch, 8, 3.0e-3)
        with torch.no_grad():
            known, now = (
                branch.eval().name(look(branch, batch))
                for branch in (task.teacher, glance_of(task.net))
            )
        gone.append(float(drift(now, known)))
    assert gone[0] > 0.0
    assert gone[1] < 0.2 * gone[0]


def test_the_branch_learns_at_its_share_of_the_rate(task: SketchMoreTask) -> None:
    groups = task.parameter_groups()
    rate = CONFIG.learning_rate
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert {rates[id(p)] for p in sketch_of(task.net).parameters()} == {rate}
    assert {rates[id(p)] for p in glance_of(task.net).parameters()} == {0.25 * rate}
    for group in groups:
        wide = {p.ndim > 1 for p in group["params"]}
        assert wide == {group["weight_decay"] > 0.0}


def test_drift_is_the_divergence_of_each_label() -> None:
    known = torch.tensor([[0.0, 2.0], [-3.0, 1.0]])
    logits = torch.tensor([[1.0, 2.0], [-3.0, -1.0]])
    total = 0.0
    for k, s in zip(known.flatten().tolist(), logits.flatten().tolist(), strict=True):
        p, q = 1.0 / (1.0 + math.exp(-k)), 1.0 / (1.0 + math.exp(-s))
        total += p * math.log(p / q) + (1.0 - p) * math.log((1.0 - p) / (1.0 - q))
    assert float(drift(logits, known)) == pytest.approx(total / 2.0, rel=1e-5)
    assert float(drift(known, known)) == pytest.approx(0.0, abs=1e-7)


def test_a_run_learns_the_branch_and_keeps_its_teacher(tmp_path: Path) -> None:
    first = train(
        replace(short_run(), model=TINY, steps=1, round_steps=1, workers=0), tmp_path / "first"
    )
    config = replace(CONFIG, model=TINY, steps=3, round_steps=3, workers=0, start_from=first)
    last = train(config, tmp_path / "run")
    (begun, _), (net, _) = load_network(first), load_network(last)
    moved = {
        name
        for name, value in net.state_dict().items()
        if not torch.equal(value, begun.state_dict()[name])
    }
    assert {name.split(".")[0] for name in moved} == {"glance", "sketch"}
    kept = torch.load(last, weights_only=True)["state_dict"]
    for name, value in glance_of(begun).state_dict().items():
        torch.testing.assert_close(kept[f"teacher.{name}"], value)


def test_a_rate_for_the_branch_asks_for_a_sketch() -> None:
    with pytest.raises(ConfigError, match="run of the sketch"):
        replace(CONFIG, sketch=False)
