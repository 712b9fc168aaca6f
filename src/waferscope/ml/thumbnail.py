"""The thumbnail of a wafer: one size for all, resampled by area from the wafer's bounding box.

Part of the graph, so serving cannot drift. Padding around the wafer changes nothing.
Shapes: B batch, K planes, H and W the canvas, N one of them, S the side of the thumbnail.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from waferscope.ml.encode import span

SIDE: Final = 64
THUMBNAIL: Final = ("on_wafer", "fail", "rho", "dies_across")


class Span(NamedTuple):
    """Where wafers lie along one axis of their canvas of ``length`` dies."""

    first: Tensor  # [B]
    held: Tensor  # [B], dies from the first to the last
    length: int

    def cells(self) -> Tensor:
        """Return how much each of S cells takes of each of N rows, [B, S, N]; a cell sums to 1."""
        step = self.held / SIDE
        low = self.first[:, None] + step[:, None] * torch.arange(SIDE, device=step.device)
        row = torch.arange(self.length, device=step.device, dtype=step.dtype)
        high = torch.minimum((low + step[:, None])[:, :, None], row + 1.0)
        shared = (high - torch.maximum(low[:, :, None], row)).clamp(min=0.0)
        return shared / step[:, None, None]

    def rows(self) -> Tensor:
        """Return how much each of N rows takes of each of S cells, [B, N, S]; a row sums to 1.

        A row that holds several cells takes a mean of those around its middle that reaches into
        its neighbours; one that is smaller than a cell lies between two. Rows off the wafer take
        those of its rim.
        """
        step = (self.held / SIDE)[:, None]
        row = torch.arange(self.length, device=step.device, dtype=step.dtype)
        at = ((row - self.first[:, None] + 0.5) / step - 0.5).clamp(0.0, SIDE - 1.0)
        away = torch.abs(at[:, :, None] - torch.arange(SIDE, device=step.device))
        reach = (1.0 / step).clamp(min=1.0)[:, :, None]
        near = (1.0 - away / reach).clamp(min=0.0)
        return near / near.sum(dim=2, keepdim=True)


class Lattice(NamedTuple):
    """How the cells of thumbnails and the dies of wafers lie to each other."""

    down: Span
    across: Span

    def shrink(self, planes: Tensor) -> Tensor:
        """Return planes [B, K, H, W] of dies as means over cells, [B, K, S, S]."""
        return self.down.cells()[:, None] @ planes @ self.across.cells().transpose(1, 2)[:, None]

    def spread(self, planes: Tensor) -> Tensor:
        """Return planes [B, K, S, S] of cells on dies, [B, K, H, W]."""
        return self.down.rows()[:, None] @ planes @ self.across.rows().transpose(1, 2)[:, None]


def lay(dies: Tensor) -> Lattice:
    """Return the lattice of wafers ``dies`` [B, H, W], uint8."""
    on = (dies > 0).float()
    return Lattice(_span(on.amax(dim=2)), _span(on.amax(dim=1)))


def _span(present: Tensor) -> Span:
    first, last = span(present)
    return Span(first, (last - first + 1.0).clamp(min=1.0), present.shape[1])


class Thumbnail(nn.Module):
    """Resample ``dies`` [B, H, W] to planes [B, 4, S, S]: sharp or averaged as need be.

    Planes: share of a cell that is wafer, share that fails, radius (0 centre, 1 rim), and the
    logarithm of the dies across the wafer; all are 0 off the wafer.
    """

    rho: Tensor

    def __init__(self) -> None:
        super().__init__()
        axis = (torch.arange(SIDE) + 0.5) / SIDE * 2.0 - 1.0
        rho = torch.sqrt(axis[:, None].square() + axis[None, :].square())
        self.register_buffer("rho", rho, persistent=False)

    def forward(self, dies: Tensor, lattice: Lattice) -> Tensor:
        """Return float planes [B, 4, S, S] in the order of `THUMBNAIL`."""
        whole = torch.stack([dies > 0, dies == 2], dim=1).to(self.rho.dtype)
        on, fail = lattice.shrink(whole).unbind(dim=1)
        across = torch.sqrt(lattice.down.held * lattice.across.held)
        size = torch.log(across / SIDE)[:, None, None]
        return torch.stack([on, fail, self.rho * on, size * on], dim=1)
