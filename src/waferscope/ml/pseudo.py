"""Pseudo-labels: what a teacher is sure enough of to teach, class by class.

Shapes: U wafers, K classes or labels, N answers. A pseudo-label is 1, 0 or -1 (not sure).
Sources: Sohn et al., "FixMatch", NeurIPS 2020 (hard labels above a threshold); Wang et al.,
"FreeMatch", ICLR 2023 (thresholds that follow the confidence of each class).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from waferscope.ml.augment import UNKNOWN


class ClassThresholds(nn.Module):
    """Confidence from which each class's ``yes`` and ``no`` count, both [K].

    Both begin at ``start``; each follows the mean confidence of the answers on its side of 0.5,
    held within ``floor`` and ``start``: a class that the teacher is still shy of is let in with
    less, one that it knows well is not. They are buffers, so a resumed run goes on with them.
    """

    yes: Tensor
    no: Tensor

    def __init__(self, classes: int, start: float, floor: float, momentum: float) -> None:
        super().__init__()
        self.start, self.floor, self.momentum = start, floor, momentum
        self.register_buffer("yes", torch.full((classes,), start))
        self.register_buffer("no", torch.full((classes,), start))

    @torch.no_grad()
    def update(self, probs: Tensor) -> None:
        """Move both towards the mean confidence in ``probs`` [N, K]."""
        for threshold, confidence in ((self.yes, probs), (self.no, 1.0 - probs)):
            sure = (confidence >= 0.5).to(probs.dtype)
            count = sure.sum(dim=0)
            mean = (confidence * sure).sum(dim=0) / count.clamp(min=1.0)
            aim = torch.where(count > 0, mean, threshold)
            threshold.lerp_(aim, 1.0 - self.momentum).clamp_(self.floor, self.start)

    def label(self, probs: Tensor) -> Tensor:
        """Return int8 pseudo-labels of ``probs`` [U, K, ...]."""
        shape = (1, -1, *(1,) * (probs.ndim - 2))
        unsure = torch.full_like(probs, UNKNOWN, dtype=torch.int8)
        no = torch.where(1.0 - probs >= self.no.view(shape), 0, unsure)
        return torch.where(probs >= self.yes.view(shape), 1, no).to(torch.int8)


def follow(zones: Tensor, source: Tensor) -> Tensor:
    """Return int8 [U, K, H, W]: ``zones`` of the weak view carried to where ``source`` leads.

    ``source`` int64 [U, H, W] holds flat cells of the same wafer's weak canvas, -1 for none.
    """
    cells = source.flatten(1)[:, None].expand(-1, zones.shape[1], -1)
    carried = zones.flatten(2).gather(2, cells.clamp(min=0))
    return torch.where(cells < 0, UNKNOWN, carried).to(torch.int8).view_as(zones)


def overlay(below: Tensor, above: Tensor) -> Tensor:
    """Return ``below`` with 1 wherever ``above`` is 1: what was laid on top is known.

    >>> overlay(torch.tensor([0, -1, 0]), torch.tensor([1, 1, 0])).tolist()
    [1, 1, 0]
    """
    return torch.where(above == 1, torch.ones_like(below), below)
