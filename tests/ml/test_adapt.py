"""Adapting: what stands still stands still, what learns learns, and norms keep what they saw."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.ml.small import short_run
from waferscope.errors import ConfigError
from waferscope.ml.adapt import AdaptTask
from waferscope.ml.batches import BatchPlan
from waferscope.ml.config import AdaptConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.model import WaferNet
from waferscope.ml.task import loss_terms
from waferscope.synth import SynthConfig

CONFIG = replace(short_run(), steps=10, adapt=AdaptConfig(frozen=0.5, thawed=("layer4",)))


class Adapting(AdaptTask):
    """A task whose step is set by hand."""

    step = 0

    @property
    def global_step(self) -> int:
        return self.step


@pytest.fixture
def task(net: WaferNet) -> Adapting:
    made = Adapting(CONFIG)
    made.start_from(net)
    return made


def advance(task: Adapting, step: int) -> dict[str, Tensor]:
    """Take one optimiser step and return how far each weight moved."""
    optimizer = task.configure_optimizers()["optimizer"]
    task.step = step
    task.on_train_batch_start()
    before = {name: p.detach().clone() for name, p in task.net.named_parameters()}
    batch = BatchPlan(CONFIG, Corpus(SynthConfig()), 0, 1)[0]
    terms = loss_terms(task.net(batch.dies, batch.fold), batch, CONFIG.loss)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] if "initial_lr" in group else group["lr"]
    optimizer.step()
    return {n: (p.detach() - before[n]).abs().max() for n, p in task.net.named_parameters()}


@pytest.mark.parametrize("step", [0, 4, 5, 9])
def test_the_encoder_stands_still_first_then_its_last_stage_learns(
    task: Adapting, step: int
) -> None:
    moved = advance(task, step)
    for name, distance in moved.items():
        learns = not name.startswith(("encoder.", "glance.encoder.")) or (
            name.startswith("encoder.layer4.") and step > 4
        )
        assert (distance > 0) == learns, name


def test_norms_keep_what_they_have_seen(task: Adapting) -> None:
    before = {n: b.clone() for n, b in task.net.named_buffers()}
    task.train()
    advance(task, 9)
    assert all(torch.equal(before[n], b) for n, b in task.net.named_buffers())
    norms = [m for m in task.net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert task.net.decoder.dropout.training


def test_thawed_stages_learn_at_a_lower_rate(task: Adapting) -> None:
    outer, thawed = task.parameter_groups()
    assert outer["lr"] == CONFIG.learning_rate
    assert thawed["lr"] == pytest.approx(0.2 * CONFIG.learning_rate)
    stage = {id(p) for p in task.net.encoder.get_submodule("layer4").parameters()}
    assert {id(p) for p in thawed["params"]} == stage
    everything = {id(p) for p in task.net.parameters()}
    assert task.net.glance is not None
    encoders = (task.net.encoder, task.net.glance.encoder)
    inside = {id(p) for one in encoders for p in one.parameters()}
    assert {id(p) for p in outer["params"]} == everything - inside


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="adapt"):
        AdaptTask(short_run())
    with pytest.raises(ConfigError, match="layer9"):
        AdaptTask(replace(CONFIG, adapt=AdaptConfig(thawed=("layer9",))))
