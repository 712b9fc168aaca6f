"""Pseudo-labels: what a teacher is sure enough of to teach, class by class.

Shapes: U wafers, K classes or labels, N answers. A pseudo-label is 1, 0 or -1 (not sure).
Sources: Sohn et al., "FixMatch", NeurIPS 2020 (hard labels above a threshold); Wang et al.,
"FreeMatch", ICLR 2023 (thresholds that follow the confidence of each class); Zou et al.,
"Class-Balanced Self-Training", ECCV 2018 (the surest share of each class).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from waferscope.ml.augment import UNKNOWN

MEMORY: Final = 2048
"""Answers of the teacher over which the surest are sought."""


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


class SurestThresholds(ClassThresholds):
    """Class thresholds whose ``yes`` lets a given share of the wafers in: the surest of each class.

    A teacher of few labels may never be sure of a hard class: by confidence alone, wafers of it
    teach nothing but what they are not. ``shares`` [K] say how many of all wafers to call ``yes``;
    from how sure follows from the last answers, held within ``lowest`` and ``start``.
    """

    seen: Tensor
    count: Tensor

    def __init__(
        self, shares: Tensor, lowest: float, start: float, floor: float, momentum: float
    ) -> None:
        super().__init__(len(shares), start, floor, momentum)
        self.shares, self.lowest = shares, lowest
        self.register_buffer("seen", torch.zeros(MEMORY, len(shares)))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, probs: Tensor) -> None:
        """Take in the answers ``probs`` [N, K]."""
        super().update(probs)
        places = (self.count + torch.arange(len(probs), device=probs.device)) % MEMORY
        self.seen[places] = probs.to(self.seen.dtype)
        self.count += len(probs)
        known = self.seen[: min(int(self.count), MEMORY)]
        bars = [
            torch.quantile(of_class, 1.0 - float(share)) if share > 0 else self.yes.new_ones(())
            for of_class, share in zip(known.T, self.shares, strict=True)
        ]
        self.yes.copy_(torch.stack(bars).clamp(self.lowest, self.start))


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
