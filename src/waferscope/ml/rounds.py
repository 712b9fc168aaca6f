"""Rounds of batches: which plan feeds a run, and the loaders that read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import lightning
from torch.utils.data import DataLoader

from waferscope.ml.batches import BatchPlan, for_whole_network
from waferscope.ml.config import TrainConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.pairs import PairPlan
from waferscope.ml.sketch_batches import SketchPlan

VALIDATION_SEED: Final = 9_000_001


class Rounds(lightning.LightningDataModule):
    """Feeds round n with the batches of its own steps, whatever ran before."""

    def __init__(self, config: TrainConfig, train: Corpus, held_out: Corpus) -> None:
        super().__init__()
        self.config = config
        self.train_corpus = train
        self.held_out = held_out

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the batches from the step about to run to the end of its round.

        Counted by steps, not by Lightning's epochs: after a resume those are off by one.
        """
        start = 0 if self.trainer is None else self.trainer.global_step
        left = self.config.round_steps - start % self.config.round_steps
        count = min(left, self.config.steps - start)
        return _loader(
            self._plan()(self.config, self.train_corpus, start, count), self.config.workers
        )

    def _plan(self) -> type[BatchPlan]:
        if self.config.sketch:
            return SketchPlan
        return BatchPlan if self.config.semi is None else PairPlan

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the same held-out batches every time."""
        first = self.config.buckets[0]
        count = max(1, self.config.validation_wafers // first.batch)
        plain = replace(for_whole_network(self.config), strong=None)
        return _loader(BatchPlan(plain, self.held_out, VALIDATION_SEED, count), 0)


def _loader(plan: BatchPlan, workers: int) -> DataLoader[Any]:
    return DataLoader(
        plan,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="fork" if workers else None,
    )
