"""FixMatch: what the teacher is sure of, moved with the dies, is what the student is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import draw_dies, short_run
from tests.ml.test_augment import STILL, known_sample, spot
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, Mix, SemiConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.data import LabelledWafer, WaferSet
from waferscope.ml.model import WaferOutput
from waferscope.ml.pairs import PairBatch, PairPlan, pair
from waferscope.ml.semi import (
    SemiTask,
    carry_over,
    expected_shares,
    split,
    total,
    unlabelled_weight,
)
from waferscope.ml.task import SegmentationTask, loss_terms
from waferscope.synth import SynthConfig

SEMI = SemiConfig(weight=1.0, wait=0.0, ramp=0.0, threshold=0.6, floor=0.5, strong=STILL)
CONFIG = replace(short_run(), semi=SEMI)


@pytest.fixture
def task() -> SemiTask:
    torch.manual_seed(0)
    return SemiTask(CONFIG)


def listen(task: SemiTask, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the task logs, as it would outside of a trainer."""
    logged: dict[str, float] = {}

    def one(name: str, value: Any, **_: Any) -> None:
        logged[name] = float(value)

    monkeypatch.setattr(task, "log", one)
    monkeypatch.setattr(task, "log_dict", logged.update)
    return logged


def some_pairs(seed: int = 0) -> PairBatch:
    rng = np.random.default_rng(seed)
    dies = [draw_dies(rng, [label], (27, 30)) for label in ("Center", "Loc", "Scratch")]
    known = [known_sample(("center", spot((31, 31), 0.0, 0.0, 0.3)))] * 2
    return pair(dies, known, (32, 32), rng, STILL)


def answer(batch: PairBatch, probs: Tensor, labels: Tensor) -> WaferOutput:
    """What a network would say for which the zone is where ``probs`` says."""
    return WaferOutput(
        torch.logit(probs), torch.logit(labels), torch.zeros(3, 4), torch.zeros(3, 8, 8, 8)
    )


def test_pseudo_masks_move_with_their_dies(task: SemiTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher that calls each failing die a particle teaches the same of the strong view."""
    listen(task, monkeypatch)
    batch = some_pairs()
    probs = torch.full((3, 8, 32, 32), 0.001)
    probs[:, 4] = torch.where(batch.weak.dies == 2, 0.999, 0.001)
    labels = torch.full((3, 8), 0.55)
    labels[:, 4] = 0.999
    monkeypatch.setattr(task.ema, "forward", lambda *_: answer(batch, probs, labels))
    weak = task.teach(batch.weak)
    assert torch.equal(weak.target[:, 4] == 1, batch.weak.dies == 2)
    assert (weak.target[(batch.weak.dies == 0)[:, None].expand_as(weak.target)] == -1).all()
    strong = carry_over(weak, batch.strong, batch.source)
    assert torch.equal(strong.target[:, 4] == 1, batch.strong.dies == 2)
    assert torch.equal(strong.target == -1, (batch.strong.dies == 0)[:, None].expand_as(probs))
    assert (strong.patterns[:, 4] == 1).all()
    assert (strong.patterns[:, :4] == -1).all()


def test_what_was_laid_on_top_is_taught_whatever_the_teacher_says(
    task: SemiTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(task, monkeypatch)
    donor = known_sample(("center", spot((31, 31), 0.0, 0.0, 0.3)))
    rng = np.random.default_rng(0)
    dies = [draw_dies(rng, (), (31, 31)) for _ in range(3)]
    batch = pair(dies, [donor], (32, 32), rng, replace(STILL, pasted=1.0))
    nothing = torch.full((3, 8, 32, 32), 0.001)
    monkeypatch.setattr(task.ema, "forward", lambda *_: answer(batch, nothing, nothing[:, :, 0, 0]))
    strong = carry_over(task.teach(batch.weak), batch.strong, batch.source)
    assert torch.equal(strong.target == 1, batch.strong.target == 1)
    assert (strong.target[:, 0][batch.strong.dies > 0] == 0).all()


def test_the_loss_is_that_of_both_halves(task: SemiTask, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = listen(task, monkeypatch)
    batch = some_pairs()
    task.net.eval()  # no dropout, so that the same numbers come twice
    loss = task.training_step(batch, 0)
    strong = carry_over(task.teach(batch.weak), batch.strong, batch.source)
    dies = torch.cat([batch.labelled.dies, strong.dies])
    ours, theirs = split(task.net(dies, torch.cat([batch.labelled.fold, strong.fold])), 2)
    labelled = total(loss_terms(ours, batch.labelled, CONFIG.loss))
    unlabelled = total(loss_terms(theirs, strong, CONFIG.loss)).detach()
    assert float(unlabelled) > 0.1
    torch.testing.assert_close(loss, labelled + unlabelled, rtol=2e-2, atol=1e-3)
    assert logged["loss/unlabelled"] == pytest.approx(float(unlabelled), rel=0.05)


def test_the_stream_of_perturbed_features_adds_to_the_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = some_pairs()
    losses = []
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        task = SemiTask(replace(CONFIG, semi=replace(SEMI, feature_weight=weight)))
        listen(task, monkeypatch)
        losses.append(float(task.training_step(batch, 0).detach()))
    assert losses[1] > losses[0]


def test_the_teacher_learns_by_the_mean_alone(
    task: SemiTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(task, monkeypatch)
    task.training_step(some_pairs(), 0).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in task.ema.parameters())
    assert not any(m.training for m in task.ema.modules())
    assert all(p.grad is not None for p in task.net.parameters())


def test_what_is_unlabelled_waits_then_ramps_up() -> None:
    semi = SemiConfig(weight=2.0, wait=0.2, ramp=0.4)
    shares = [unlabelled_weight(x, semi) for x in (0.0, 0.19, 0.4, 0.6, 0.9)]
    assert shares == pytest.approx([0.0, 0.0, 1.0, 2.0, 2.0])
    assert unlabelled_weight(0.0, SEMI) == 1.0


def test_thresholds_are_in_the_checkpoint_and_the_network_is_the_same(task: SemiTask) -> None:
    plain = set(SegmentationTask(short_run()).state_dict())
    extra = set(task.state_dict()) - plain
    both = {f"{kind}_thresholds.{side}" for kind in ("die", "label") for side in ("yes", "no")}
    assert extra == both | {"label_thresholds.seen", "label_thresholds.count"}


def test_a_plan_without_real_wafers_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    task = SemiTask(CONFIG)
    listen(task, monkeypatch)
    batch = PairPlan(CONFIG, Corpus(SynthConfig()), 0, 1)[0]
    assert torch.isfinite(task.training_step(batch, 0))


def test_a_recipe_without_semi_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="semi"):
        SemiTask(short_run())


def test_unlabelled_wafers_are_expected_to_be_like_the_labelled_ones_of_their_size() -> None:
    dies = {side: np.ones((side, side), np.uint8) for side in (30, 60)}
    small: list[tuple[str, ...]] = [("Loc",), (), (), ()]
    large: list[tuple[str, ...]] = [("Loc",), ("Scratch",)]
    wafers = [LabelledWafer(dies[30], one) for one in small]
    wafers += [LabelledWafer(dies[60], one) for one in large]
    corpus = Corpus(SynthConfig(), real=WaferSet(tuple(wafers), ""))
    buckets = (Bucket(32, 60, 0.5, 0.5, Mix()), Bucket(64, 30, 0.6, 0.4, Mix()))
    shares = expected_shares(replace(CONFIG, buckets=buckets), corpus)
    names = DEFAULT_TAXONOMY.patterns
    found = {name: share for name, share in zip(names, shares.tolist(), strict=True) if share}
    # Two thirds of the wafers are of the smaller size.
    assert found == pytest.approx({"Loc": 2 / 3 * 0.25 + 1 / 3 * 0.5, "Scratch": 1 / 3 * 0.5})
    nothing = expected_shares(replace(CONFIG, buckets=buckets), Corpus(SynthConfig()))
    assert nothing.tolist() == [0.0] * len(names)
