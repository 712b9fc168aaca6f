"""Rounds of a run: each has the batches of its own steps, whatever was drawn before."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.ml.small import short_run
from waferscope.ml.augment import StrongConfig
from waferscope.ml.config import SemiConfig
from waferscope.ml.corpus import open_corpus
from waferscope.ml.pairs import PairPlan
from waferscope.ml.rounds import Rounds
from waferscope.ml.sketch_batches import SketchPlan


def test_rounds_begin_where_the_run_stands() -> None:
    config = replace(short_run(), steps=7, round_steps=3)
    corpus = open_corpus(None, "train")
    rounds = Rounds(config, corpus, corpus)

    class At:
        global_step = 0

    rounds.trainer = At()  # type: ignore[assignment]
    spans = {}
    for step in range(7):
        rounds.trainer.global_step = step  # type: ignore[misc, union-attr]
        plan = rounds.train_dataloader().dataset
        spans[step] = (plan.start, plan.count)  # type: ignore[attr-defined]
    assert spans == {0: (0, 3), 1: (1, 2), 2: (2, 1), 3: (3, 3), 4: (4, 2), 5: (5, 1), 6: (6, 1)}


def test_validation_is_held_out_and_the_same_every_time() -> None:
    corpus = open_corpus(None, "val")
    rounds = Rounds(short_run(), corpus, corpus)
    one, other = (list(rounds.val_dataloader()) for _ in range(2))
    assert len(one) == 2
    assert all(torch.equal(a.dies, b.dies) for a, b in zip(one, other, strict=True))
    trained = rounds.train_dataloader().dataset[0]
    assert not torch.equal(trained.dies, one[0].dies)


def test_runs_with_unlabelled_wafers_are_fed_pairs_and_validated_without() -> None:
    corpus = open_corpus(None, "train")
    config = replace(short_run(), semi=SemiConfig(), strong=StrongConfig())
    rounds = Rounds(config, corpus, corpus)
    assert isinstance(rounds.train_dataloader().dataset, PairPlan)
    plain = Rounds(short_run(), corpus, corpus)
    ours, theirs = (next(iter(r.val_dataloader())) for r in (rounds, plain))
    assert torch.equal(ours.dies, theirs.dies)


def test_a_sketch_is_fed_thumbnails_and_validated_on_dies() -> None:
    corpus = open_corpus(None, "train")
    rounds = Rounds(replace(short_run(), sketch=True), corpus, corpus)
    assert isinstance(rounds.train_dataloader().dataset, SketchPlan)
    assert next(iter(rounds.val_dataloader())).dies.dtype == torch.uint8
