"""The branch for pattern labels: the whole wafer at one size, seen by a small ResNet-18.

A pattern label is about the shape on the wafer, whatever its number of dies: so each wafer is
resampled from its bounding box, by area, to one thumbnail, and padding around it changes nothing.
Shapes: B batch, P patterns, H and W the canvas, S the side of the thumbnail.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from waferscope.ml.encode import span
from waferscope.ml.encoder import ResNetEncoder

SIDE: Final = 64
THUMBNAIL: Final = ("on_wafer", "fail", "rho", "dies_across")


class Thumbnail(nn.Module):
    """Resample ``dies`` [B, H, W] by area to planes [B, 4, S, S]: sharp or averaged as need be.

    Planes: share of a cell that is wafer, share that fails, radius (0 centre, 1 rim), and the
    logarithm of the dies across the wafer; all are 0 off the wafer.
    """

    rho: Tensor

    def __init__(self) -> None:
        super().__init__()
        axis = (torch.arange(SIDE) + 0.5) / SIDE * 2.0 - 1.0
        rho = torch.sqrt(axis[:, None].square() + axis[None, :].square())
        self.register_buffer("rho", rho, persistent=False)

    def forward(self, dies: Tensor) -> Tensor:
        """Return float planes [B, 4, S, S] in the order of `THUMBNAIL`."""
        on = (dies > 0).to(self.rho.dtype)
        fail = (dies == 2).to(self.rho.dtype)
        down, rows = _cells(on.amax(dim=2))
        across, cols = _cells(on.amax(dim=1))
        small_on, small_fail = (down @ plane @ across.transpose(1, 2) for plane in (on, fail))
        size = torch.log(torch.sqrt(rows * cols) / SIDE)[:, None, None]
        return torch.stack([small_on, small_fail, self.rho * small_on, size * small_on], dim=1)


def _cells(present: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much each of S cells takes of each of N rows [B, S, N], and the rows [B]."""
    first, last = span(present)
    count = (last - first + 1.0).clamp(min=1.0)
    step = count / SIDE
    low = first[:, None] + step[:, None] * torch.arange(SIDE, device=present.device)
    row = torch.arange(present.shape[1], device=present.device, dtype=present.dtype)
    high = torch.minimum((low + step[:, None])[:, :, None], row + 1.0)
    shared = (high - torch.maximum(low[:, :, None], row)).clamp(min=0.0)
    return shared / step[:, None, None], count


class Glance(nn.Module):
    """Pattern logits [B, P] of the thumbnails of wafers."""

    def __init__(self, width: int, patterns: int, dropout: float) -> None:
        super().__init__()
        self.thumbnail = Thumbnail()
        self.encoder = ResNetEncoder(18, len(THUMBNAIL), width, pool=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.encoder.channels[-1], patterns)
        nn.init.constant_(self.head.bias, -2.0)

    def forward(self, dies: Tensor) -> Tensor:
        """Map uint8 ``dies`` [B, H, W] to logits [B, P]."""
        pooled = self.encoder(self.thumbnail(dies))[-1].mean(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
