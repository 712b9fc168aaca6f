"""One step: which dies count for what, how fast it learns, and what the running mean remembers."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.ml.small import short_run
from waferscope.ml.batches import Batch, BatchPlan
from waferscope.ml.config import LossConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.encoder import ResNetEncoder
from waferscope.ml.losses import bag_loss, dice_loss, focal_loss, pattern_loss
from waferscope.ml.model import WaferNet, WaferOutput
from waferscope.ml.task import ABOUT, SegmentationTask, loss_terms, warmup_cosine
from waferscope.synth import SynthConfig

LOSS = LossConfig(focal=2.0, dice=3.0, bag=0.5, patterns=0.7, passing=0.1)


@pytest.fixture(scope="module")
def task() -> SegmentationTask:
    torch.manual_seed(0)
    return SegmentationTask(short_run(), "data-1")


def partly_known() -> tuple[WaferOutput, Batch]:
    """Two wafers of failing, passing and absent dies, a third of whose truth is unknown."""
    torch.manual_seed(1)
    dies = torch.randint(0, 3, (2, 8, 8), dtype=torch.uint8)
    target = torch.randint(-1, 2, (2, 3, 8, 8), dtype=torch.int8)
    bag = torch.tensor([[True, False, False], [False, False, True]])
    patterns = torch.tensor([[1, 0, -1], [0, 0, 1]], dtype=torch.int8)
    batch = Batch(dies, dies.float(), target, bag, patterns, torch.tensor([1.0, 0.3]))
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    out = WaferOutput(logits, torch.randn(2, 3), torch.zeros(2, 4), torch.zeros(2, 3, 2, 2))
    return out, batch


def test_terms_are_the_losses_times_their_weights() -> None:
    out, batch = partly_known()
    terms = loss_terms(out, batch, LOSS)
    fail, known = (batch.dies == 2)[:, None], batch.target >= 0
    on_fail = (fail & known).float()
    weight = torch.where(fail, 1.0, 0.1) * known
    expected = {
        "focal": 2.0 * focal_loss(out.mask_logits, batch.target, weight, LOSS.focal_gamma),
        "dice": 3.0 * dice_loss(out.mask_logits, batch.target, on_fail),
        "bag": 0.5 * bag_loss(out.mask_logits, batch.bag, fail[:, 0]),
        "patterns": 0.7 * pattern_loss(out.pattern_logits, batch.patterns, batch.weight, 0.02),
    }
    assert list(terms) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_unknown_dies_pull_nothing_but_their_bag() -> None:
    out, batch = partly_known()
    terms = loss_terms(out, batch, replace(LOSS, bag=0.0))
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert out.mask_logits.grad is not None
    assert not out.mask_logits.grad[batch.target < 0].any()
    assert out.mask_logits.grad[batch.target >= 0].all()


def test_passing_dies_count_a_tenth_and_never_for_dice() -> None:
    out, batch = partly_known()
    passing = (batch.dies != 2)[:, None].expand_as(batch.target)
    flipped = batch._replace(target=torch.where(passing & (batch.target >= 0), 1, batch.target))
    before, after = (loss_terms(out, b, LOSS) for b in (batch, flipped))
    torch.testing.assert_close(before["dice"], after["dice"])
    assert not torch.equal(before["focal"], after["focal"])
    unweighted = loss_terms(out, flipped, replace(LOSS, passing=0.0))
    original = loss_terms(out, batch, replace(LOSS, passing=0.0))
    torch.testing.assert_close(unweighted["focal"], original["focal"])


def test_the_rate_warms_up_then_falls_to_nothing() -> None:
    rates = [warmup_cosine(step, 20, 200) for step in range(201)]
    assert rates[:20] == pytest.approx([(n + 1) / 20 for n in range(20)])
    assert rates[20] == 1.0
    assert rates[65] == pytest.approx(0.5 * (1 + np.cos(np.pi / 4)))
    assert all(a >= b for a, b in itertools.pairwise(rates[20:]))
    assert rates[200] == pytest.approx(0.0, abs=1e-12)
    assert warmup_cosine(500, 20, 200) == pytest.approx(0.0, abs=1e-12)
    assert warmup_cosine(0, 0, 1) == 1.0


def test_every_weight_is_trained_once_and_only_matrices_decay(task: SegmentationTask) -> None:
    made: dict[str, Any] = task.configure_optimizers()
    decayed, plain = made["optimizer"].param_groups
    assert decayed["weight_decay"] == task.config.weight_decay
    assert plain["weight_decay"] == 0.0
    assert {p.ndim for p in plain["params"]} == {1}
    assert min(p.ndim for p in decayed["params"]) == 2
    trained = [id(p) for group in (decayed, plain) for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in task.net.parameters())


def test_the_running_mean_by_a_loop() -> None:
    """Short memory first: weights 1, then 9/11, 9/12, ... until 1 - decay is reached."""
    config = replace(short_run(), ema_decay=0.3)
    task = SegmentationTask(config)
    name, norm = "net.mask_head.weight", "net.encoder.bn1.num_batches_tracked"
    weight = task.get_parameter(name)
    mean: Tensor | None = None
    for step in range(6):
        nn.init.constant_(weight, float(step**2))
        task.get_buffer(norm).fill_(step)
        task.on_train_batch_end()
        share = 1.0 - min(0.3, (1.0 + step) / (10.0 + step))
        mean = weight.detach().clone() if mean is None else mean + share * (weight - mean).detach()
    assert mean is not None
    torch.testing.assert_close(task.ema.get_parameter("module.mask_head.weight"), mean)
    assert int(task.ema.get_buffer("module.encoder.bn1.num_batches_tracked")) == 5
    assert not any(p.requires_grad for p in task.ema.parameters())


def test_a_checkpoint_says_in_plain_values_what_it_is(task: SegmentationTask) -> None:
    held: dict[str, Any] = {}
    task.on_save_checkpoint(held)
    assert held[ABOUT] == {
        "model": asdict(task.config.model),
        "recipe": "smoke",
        "steps": 0,
        "seed": 0,
        "data_fingerprint": "data-1",
    }


def test_encoder_weights_are_taken_from_the_file_the_recipe_names(tmp_path: Any) -> None:
    torch.manual_seed(3)
    published = ResNetEncoder(18, 6)
    torch.save(published.state_dict(), tmp_path / "resnet18.pt")
    task = SegmentationTask(replace(short_run(), encoder_weights=tmp_path / "resnet18.pt"))
    for name in ("net", "ema.module"):
        found = task.get_parameter(f"{name}.encoder.conv1.weight")
        assert torch.equal(found, published.conv1.weight)


def test_a_run_may_begin_with_the_weights_of_another(net: WaferNet) -> None:
    fresh = SegmentationTask(short_run())
    fresh.start_from(net)
    for name, tensor in net.state_dict().items():
        for place in ("net", "ema.module"):
            assert torch.equal(fresh.state_dict()[f"{place}.{name}"], tensor)


def test_a_step_lowers_the_loss_of_its_own_batch(task: SegmentationTask) -> None:
    batch = BatchPlan(task.config, Corpus(SynthConfig()), 0, 1)[0]
    terms = loss_terms(task.net(batch.dies, batch.fold), batch, task.config.loss)
    optimizer = torch.optim.SGD(task.net.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        torch.manual_seed(0)  # the same dropout
        terms = loss_terms(task.net(batch.dies, batch.fold), batch, LossConfig(bag=0.0))
        total = torch.stack(list(terms.values())).sum()
        losses.append(float(total.detach()))
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert losses[-1] < losses[0]


def test_validation_counts_known_failing_dies(
    task: SegmentationTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, batch = partly_known()
    logged: dict[str, float] = {}

    def log(name: str, value: Any, **_: Any) -> None:
        logged[name] = float(value)

    monkeypatch.setattr(task, "log", log)
    monkeypatch.setattr(task, "seen", type(task.seen).zero(3))
    monkeypatch.setattr(task.ema, "forward", lambda *_: out)
    task.validation_step(batch, 0)
    task.validation_step(batch, 1)
    task.on_validation_epoch_end()
    ious = []
    for channel, name in enumerate(("edge", "center", "ring")):
        scored = (batch.dies == 2) & (batch.target[:, channel] >= 0)
        marked = scored & (out.mask_logits[:, channel] >= 0)
        there = scored & (batch.target[:, channel] == 1)
        ious.append(float((marked & there).sum() / (marked | there).sum()))
        assert logged[f"val/iou_{name}"] == pytest.approx(ious[-1])
    assert logged["val/iou_mean"] == pytest.approx(np.mean(ious))
