"""Batches for learning from few labels: labelled wafers, and two views of unlabelled ones.

Each unlabelled wafer is seen weakly (one of the 8 symmetries) and strongly (die-level changes on
top of another symmetry); ``source`` leads from every cell of the strong canvas to the cell of the
weak one that shows the same die. Shapes: U unlabelled wafers, C classes, P patterns, H and W the
canvas.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import NO_DIE, DieGrid
from waferscope.errors import ConfigError
from waferscope.infer.batching import crop, stack
from waferscope.ml.augment import UNKNOWN, StrongConfig, strong_view, turn
from waferscope.ml.batches import Batch, BatchPlan, buckets_of, canvas_of, collate, draw_samples
from waferscope.ml.config import SemiConfig
from waferscope.ml.data import Sample, Targets

Canvas = tuple[int, int]


class PairBatch(NamedTuple):
    """What one optimiser step sees; each part has the form of an ordinary batch.

    ``weak`` knows nothing of its wafers. ``strong`` knows the zones and labels that were laid on
    top alone (1), and ``source`` int64 [U, H, W] is the flat cell of the weak canvas, or -1.
    """

    labelled: Batch
    weak: Batch
    strong: Batch
    source: Tensor


class PairPlan(BatchPlan):
    """Batch n of a run that learns from unlabelled wafers too."""

    def __getitem__(self, index: int) -> PairBatch:  # type: ignore[override]
        """Return the batch of step ``start + index``."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        step = self.start + index
        rng = np.random.default_rng((self.config.seed, step))
        buckets = buckets_of(self.config, step, rng)
        semi = self.config.semi
        if semi is None:
            raise ConfigError("Expected a recipe with `semi` settings, got none. Add them.")
        known, dies = [], []
        for bucket in buckets:
            known += draw_samples(self.config, self.corpus, bucket, bucket.batch, rng)
            for _ in range(unlabelled_count(semi, bucket.batch)):
                dies.append(self.corpus.draw_unlabelled(rng, bucket.side))
        return pair(dies, known, canvas_of(buckets), rng, semi.strong)


def unlabelled_count(semi: SemiConfig, batch: int) -> int:
    """Return how many unlabelled wafers go with a batch of labelled ones: at least one.

    >>> unlabelled_count(SemiConfig(ratio=0.5), 9)
    4
    """
    return max(1, int(batch * semi.ratio))


def pair(
    dies: list[DieGrid],
    known: list[Sample],
    canvas: Canvas,
    rng: np.random.Generator,
    config: StrongConfig,
) -> PairBatch:
    """Return the batch of labelled samples and of unlabelled dies in two views.

    A pattern laid on a wafer brings its label along only where the donor's labels count in full:
    synthetic ones follow the definitions, not the labellers.
    """
    weak, strong, source = [], [], []
    for one in dies:
        seen = turn(one, *draw_symmetry(rng))
        again = draw_symmetry(rng)
        donor = known[int(rng.integers(len(known)))]
        view = strong_view(turn(seen, *again), rng, config, donor)
        weak.append(_sample(seen, np.full((len(view.laid), *seen.shape), UNKNOWN, np.int8)))
        laid = np.where(view.dies == NO_DIE, np.int8(UNKNOWN), view.laid)
        labels = view.labels if donor.weight >= 1.0 else np.zeros_like(view.labels)
        strong.append(replace(_sample(view.dies, laid), patterns=labels))
        cells = turn(canvas_cells(canvas, seen.shape), *again)
        origin = np.where(view.dies == NO_DIE, UNKNOWN, cells.ravel()[view.source])
        source.append(stack([origin + 1], canvas)[0] - 1)
    return PairBatch(
        collate(known, canvas, rng),
        collate(weak, canvas),
        collate(strong, canvas),
        torch.from_numpy(np.stack(source)),
    )


def draw_symmetry(rng: np.random.Generator) -> tuple[int, bool]:
    """Return quarter turns and whether to mirror first: one of the 8 symmetries."""
    return int(rng.integers(4)), bool(rng.integers(2))


def canvas_cells(canvas: Canvas, shape: Canvas) -> npt.NDArray[np.int64]:
    """Return the flat canvas cell of each die of a centred wafer.

    >>> canvas_cells((4, 4), (2, 2)).tolist()
    [[5, 6], [9, 10]]
    """
    cells = np.arange(canvas[0] * canvas[1], dtype=np.int64).reshape(canvas)
    return crop(cells, shape)


def _sample(dies: DieGrid, target: Targets) -> Sample:
    labels = np.zeros(len(DEFAULT_TAXONOMY.patterns), np.int8)
    return Sample(dies, target, np.zeros(len(target), bool), labels)
