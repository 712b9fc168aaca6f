"""Training batches that depend on the seed and the step alone, so that a run resumes exactly.

Shapes: B batch, C classes, P patterns, H and W the canvas.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from waferscope.infer.fold import fold_rates
from waferscope.ml.augment import augment, strengthen
from waferscope.ml.config import Bucket, TrainConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.data import Sample

SHIFTED: Final = 0.5
"""Share of wafers placed anywhere on the canvas instead of centred."""


class Batch(NamedTuple):
    """What one optimiser step sees."""

    dies: Tensor  # uint8 [B, H, W]
    fold: Tensor  # float32 [B, H, W]
    target: Tensor  # int8 [B, C, H, W]: 1 in the zone, 0 outside, -1 unknown
    bag: Tensor  # bool [B, C]: present, at unknown dies
    patterns: Tensor  # int8 [B, P]: 1, 0, -1 unknown
    weight: Tensor  # float32 [B] of the pattern labels


class BatchPlan(Dataset[Batch]):
    """Batch n of a run, whatever was drawn before; ``start`` shifts the numbering."""

    def __init__(self, config: TrainConfig, corpus: Corpus, start: int, count: int) -> None:
        self.config = config
        self.corpus = corpus
        self.start = start
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Batch:
        """Return the batch of step ``start + index``."""
        return collate(*self.draw(index))

    def draw(self, index: int) -> tuple[list[Sample], tuple[int, int], np.random.Generator]:
        """Return the samples of step ``start + index``, their canvas, and the dice to go on with.

        Raises IndexError beyond the last step.
        """
        if not 0 <= index < self.count:
            raise IndexError(index)
        step = self.start + index
        rng = np.random.default_rng((self.config.seed, step))
        buckets = buckets_of(self.config, step, rng)
        samples = [
            sample
            for bucket in buckets
            for sample in draw_samples(self.config, self.corpus, bucket, bucket.batch, rng)
        ]
        return samples, canvas_of(buckets), rng


def buckets_of(config: TrainConfig, step: int, rng: np.random.Generator) -> tuple[Bucket, ...]:
    """Return the buckets of a step: one, or all where what sees thumbnails learns by itself."""
    return config.buckets if config.glance or config.sketch else (pick_bucket(config, step, rng),)


def for_whole_network(config: TrainConfig) -> TrainConfig:
    """Return settings whose batches are of one bucket each: what a whole network can be run on.

    Batches for what sees thumbnails are of all buckets, on the canvas of the largest.
    """
    return replace(config, glance=False, sketch=False, branch_rate=0.0)


def canvas_of(buckets: tuple[Bucket, ...]) -> tuple[int, int]:
    """Return the canvas of the largest bucket."""
    side = max(bucket.side for bucket in buckets)
    return side, side


def draw_samples(
    config: TrainConfig, corpus: Corpus, bucket: Bucket, count: int, rng: np.random.Generator
) -> list[Sample]:
    """Return ``count`` samples by the shares of a bucket, augmented as the run asks."""
    samples = [
        augment(corpus.draw(source, rng, bucket.side), rng)
        for source, wanted in bucket.mix.counts(count).items()
        for _ in range(wanted)
    ]
    if config.strong is None:
        return samples
    donors = rng.integers(len(samples), size=len(samples))
    return [
        strengthen(sample, rng, config.strong, samples[donor])
        for sample, donor in zip(samples, donors, strict=True)
    ]


def pick_bucket(config: TrainConfig, step: int, rng: np.random.Generator) -> Bucket:
    """Draw the bucket of a step; its shares move from first to final over the run."""
    done = min(1.0, step / max(1, config.steps - 1))
    shares = np.array([b.share + (b.final_share - b.share) * done for b in config.buckets])
    return config.buckets[int(rng.choice(len(shares), p=shares / shares.sum()))]


def collate(
    samples: list[Sample], canvas: tuple[int, int], rng: np.random.Generator | None = None
) -> Batch:
    """Place samples on one canvas, centred; with ``rng`` some are placed elsewhere."""
    classes = len(samples[0].target)
    dies = np.zeros((len(samples), *canvas), np.uint8)
    fold = np.zeros((len(samples), *canvas), np.float32)
    target = np.full((len(samples), classes, *canvas), -1, np.int8)
    for n, sample in enumerate(samples):
        rows, cols = sample.dies.shape
        slack = (canvas[0] - rows, canvas[1] - cols)
        top, left = slack[0] // 2, slack[1] // 2
        if rng is not None and rng.random() < SHIFTED:
            top, left = int(rng.integers(slack[0] + 1)), int(rng.integers(slack[1] + 1))
        area = (slice(top, top + rows), slice(left, left + cols))
        dies[n][area] = sample.dies
        fold[n][area] = fold_rates(sample.dies, sample.reticle)
        target[n][:, area[0], area[1]] = sample.target
    return Batch(
        torch.from_numpy(dies),
        torch.from_numpy(fold),
        torch.from_numpy(target),
        torch.from_numpy(np.stack([s.bag for s in samples])),
        torch.from_numpy(np.stack([s.patterns for s in samples])),
        torch.tensor([s.weight for s in samples], dtype=torch.float32),
    )
