"""Training batches of thumbnails: what a sketch reads, and which dies lie in each of its cells.

Shapes: B batch, C classes, S the side of the thumbnail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from waferscope.infer.fold import fold_rates
from waferscope.ml.batches import BatchPlan
from waferscope.ml.data import Sample
from waferscope.ml.thumbnail import Thumbnail, lay


class SketchBatch(NamedTuple):
    """What one step of a sketch sees.

    ``fails`` and ``passes`` hold, for failing and passing dies, the share of each cell that lies
    in the zone and the share of which it is known.
    """

    planes: Tensor  # float32 [B, 5, S, S]: a thumbnail and its fold
    fails: Tensor  # float16 [B, 2, C, S, S]
    passes: Tensor  # float16 [B, 2, C, S, S]


class SketchPlan(BatchPlan):
    """Batch n of a run in which the sketch learns: drawn from all buckets at once."""

    def __getitem__(self, index: int) -> SketchBatch:  # type: ignore[override]
        """Return the batch of step ``start + index``."""
        samples, _canvas, _rng = self.draw(index)
        return shrink(samples)


def shrink(samples: Sequence[Sample]) -> SketchBatch:
    """Return the thumbnails of samples, and how much of each cell lies in which zone."""
    thumbnail = Thumbnail()
    found = [_shrink(sample, thumbnail) for sample in samples]
    planes, fails, passes = (torch.stack(part) for part in zip(*found, strict=True))
    return SketchBatch(planes, fails, passes)


def _shrink(sample: Sample, thumbnail: Thumbnail) -> tuple[Tensor, Tensor, Tensor]:
    dies = torch.from_numpy(np.ascontiguousarray(sample.dies))[None]
    lattice = lay(dies)
    fold = torch.from_numpy(fold_rates(sample.dies, sample.reticle).astype(np.float32))[None]
    planes = torch.cat([thumbnail(dies, lattice), lattice.shrink(fold[:, None])], dim=1)
    target = torch.from_numpy(np.ascontiguousarray(sample.target))
    facts = torch.stack([target == 1, target >= 0])  # [2, C, rows, cols]
    parts = torch.stack([facts & (dies == kind) for kind in (2, 1)]).float()
    cells = lattice.shrink(parts.flatten(0, 2)[None])[0].to(torch.float16)
    fails, passes = cells.reshape(*parts.shape[:3], *cells.shape[1:])
    return planes[0], fails, passes
