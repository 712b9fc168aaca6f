"""Training the label branch: it alone learns, its mean ships, and the masks stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.ml.small import TINY, build_net, short_run
from waferscope.errors import ConfigError
from waferscope.ml.batches import BatchPlan
from waferscope.ml.config import Bucket, Mix, TrainConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.glance_task import GlanceTask
from waferscope.ml.model import VOICE, WaferNet
from waferscope.ml.train import load_network, train
from waferscope.synth import SynthConfig

CONFIG = replace(
    short_run(),
    glance=True,
    buckets=(Bucket(32, 4, 1.0, 1.0, Mix()), Bucket(64, 2, 1.0, 1.0, Mix())),
)
PLAIN = replace(TINY, glance=0, sketch=())


def begun(net: WaferNet, config: TrainConfig = CONFIG) -> GlanceTask:
    task = GlanceTask(replace(config, start_from=Path("net.ckpt")))
    task.start_from(net)
    return task


def test_a_step_reaches_the_branch_and_nothing_else(net: WaferNet) -> None:
    task = begun(net)
    optimizer = task.configure_optimizers()["optimizer"]
    before = {n: v.clone() for n, v in task.net.state_dict().items()}
    batch = BatchPlan(CONFIG, Corpus(SynthConfig()), 0, 1)[0]
    task.training_step(batch, 0).backward()  # type: ignore[no-untyped-call]
    for group in optimizer.param_groups:
        group["lr"] = 1.0e-2
    optimizer.step()
    for name, value in task.net.state_dict().items():
        if not name.startswith("glance."):
            assert torch.equal(value, before[name]), name
    moved = [n for n, p in task.net.named_parameters() if not torch.equal(p, before[n])]
    assert {n for n, _ in task.net.named_parameters() if n.startswith("glance.")} == set(moved)


def test_the_mean_follows_and_ships(net: WaferNet) -> None:
    task = begun(net)
    head = task.net.glance
    assert head is not None
    shipped = task.mean.glance
    assert shipped is not None
    mean = shipped.head.bias
    with torch.no_grad():
        head.head.bias.add_(1.0)
        start = float((head.head.bias - mean).abs().max())
    for _ in range(3):
        task.on_train_batch_end()
    assert 0 < float((head.head.bias - mean).detach().abs().max()) < start
    assert int(task.ema.n_averaged) == 3


def test_a_network_without_a_branch_gets_one_and_keeps_its_masks() -> None:
    old = build_net(1, PLAIN)
    task = begun(old, replace(CONFIG, model=replace(TINY, sketch=())))
    dies = torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8)
    fold = torch.zeros(2, 64, 64)
    for net in (task.net.eval(), task.mean.eval()):
        one, other = old(dies, fold), net(dies, fold)
        torch.testing.assert_close(other.mask_logits, one.mask_logits, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(other.embedding, one.embedding, rtol=1e-3, atol=1e-4)
        assert net.glance is not None
        branch = net.glance(dies)
        labels = one.pattern_logits + VOICE * branch
        torch.testing.assert_close(other.pattern_logits, labels, rtol=1e-3, atol=1e-4)


def test_begun_with_nothing_the_labels_are_the_branchs_alone() -> None:
    task = GlanceTask(CONFIG)
    dies = torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8)
    net = task.mean.eval()
    assert net.glance is not None
    labels = net(dies, torch.zeros(2, 64, 64)).pattern_logits
    torch.testing.assert_close(labels, VOICE * net.glance(dies))


def test_a_run_goes_through_and_its_checkpoint_holds_the_branch(tmp_path: Path) -> None:
    last = train(replace(CONFIG, steps=4, round_steps=2, workers=0), tmp_path / "run")
    net, about = load_network(last)
    assert about["steps"] == 4
    assert net.glance is not None
    fresh = GlanceTask(CONFIG).net.glance
    assert fresh is not None
    assert not torch.equal(net.glance.head.bias, fresh.head.bias)


def test_a_network_without_a_branch_cannot_be_trained_so() -> None:
    with pytest.raises(ConfigError, match="label branch"):
        GlanceTask(replace(CONFIG, model=PLAIN))
