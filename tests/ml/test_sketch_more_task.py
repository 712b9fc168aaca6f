"""Training the sketch and its features together: labels are held by what the branch said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.ml.small import TINY, build_net, short_run, take_steps
from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, LossConfig, Mix
from waferscope.ml.corpus import Corpus
from waferscope.ml.losses import drift_loss
from waferscope.ml.sketch_batches import SketchBatch, SketchPlan
from waferscope.ml.sketch_more_task import SketchMoreTask
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


def test_a_step_moves_the_branch_and_the_sketch_and_nothing_else(
    task: SketchMoreTask, batch: SketchBatch
) -> None:
    before = {n: v.clone() for n, v in task.net.state_dict().items()}
    taught = {n: v.clone() for n, v in task.teacher.state_dict().items()}
    take_steps(task, batch, 2, 1.0e-2)
    changed = {n for n, v in task.net.state_dict().items() if not torch.equal(v, before[n])}
    assert all(name.startswith(("glance.", "sketch.")) for name in changed)
    learning = {n for n, p in task.net.named_parameters() if p.requires_grad}
    assert learning <= changed
    assert {n for n in changed if n.startswith("glance.")} <= learning, "norms saw something new"
    norms = {n for n in before if n.startswith("sketch.") and n.endswith("running_mean")}
    assert norms
    assert norms <= changed
    for name, value in task.teacher.state_dict().items():
        assert torch.equal(value, taught[name])


def test_steps_lower_the_loss_of_their_batch(task: SketchMoreTask, batch: SketchBatch) -> None:
    losses = take_steps(task, batch, 6, 1.0e-2)
    assert losses[-1] < 0.9 * losses[0]


def test_labels_are_held(batch: SketchBatch) -> None:
    """The same steps move labels less where their drift weighs more."""
    gone = []
    for weight in (0.0, 100.0):
        task = SketchMoreTask(replace(CONFIG, loss=LossConfig(patterns=weight)))
        task.start_from(build_net())
        take_steps(task, batch, 8, 3.0e-3)
        with torch.no_grad():
            known, now = (
                branch.eval().name(look(branch, batch))
                for branch in (task.teacher, glance_of(task.net))
            )
        gone.append(float(drift_loss(now, known)))
    assert gone[0] > 0.0
    assert gone[1] < 0.2 * gone[0]


def test_the_branch_learns_at_its_share_of_the_rate(task: SketchMoreTask) -> None:
    groups = task.parameter_groups()
    rate = CONFIG.learning_rate
    rates = {id(p): group.get("lr", rate) for group in groups for p in group["params"]}
    assert {rates[id(p)] for p in sketch_of(task.net).parameters()} == {rate}
    assert {rates[id(p)] for p in glance_of(task.net).parameters()} == {0.25 * rate}
    for group in groups:
        wide = {p.ndim > 1 for p in group["params"]}
        assert wide == {group["weight_decay"] > 0.0}


def test_nothing_has_drifted_at_the_first_step(
    task: SketchMoreTask, batch: SketchBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout or norms of another mode on one side would say otherwise."""
    said: dict[str, Tensor] = {}
    monkeypatch.setattr(task, "log_dict", said.update)
    task.training_step(batch, 0)
    assert float(said["loss/patterns"]) == pytest.approx(0.0, abs=1e-6)
    take_steps(task, batch, 1, 1.0e-2)
    task.training_step(batch, 0)
    assert float(said["loss/patterns"]) > 1e-6


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


@pytest.mark.parametrize("wrong", [{"sketch": False}, {"branch_rate": -0.1}, {"branch_rate": 1.5}])
def test_a_rate_for_the_branch_is_a_share_in_a_run_of_the_sketch(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="0 to 1 of the rate"):
        replace(CONFIG, **wrong)


def test_it_goes_on_with_a_network_that_sketches() -> None:
    with pytest.raises(ConfigError, match="Train one with `sketch` first"):
        SketchMoreTask(CONFIG).start_from(build_net(config=replace(TINY, sketch=())))
