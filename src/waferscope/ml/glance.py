"""The branch for pattern labels: the whole wafer at one size, seen by a small ResNet-18.

A pattern label is about the shape on the wafer, whatever its number of dies: so each wafer is
looked at as a thumbnail.
Shapes: B batch, P patterns, H and W the canvas, S the side of the thumbnail.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from waferscope.ml.encoder import ResNetEncoder
from waferscope.ml.thumbnail import THUMBNAIL, Lattice, Thumbnail, lay


class Seen(NamedTuple):
    """What the branch sees of wafers: their lattice, thumbnails and features of them."""

    lattice: Lattice
    planes: Tensor  # [B, 4, S, S]
    features: list[Tensor]  # [B, _, S/k, S/k], k of 2, 2, 4, 8, 16


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
        return self.name(self.see(dies).features)

    def see(self, dies: Tensor) -> Seen:
        """Look at uint8 ``dies`` [B, H, W]."""
        lattice = lay(dies)
        planes = self.thumbnail(dies, lattice)
        return Seen(lattice, planes, self.encoder(planes))

    def name(self, features: list[Tensor]) -> Tensor:
        """Return logits [B, P] of what the encoder sees."""
        pooled = features[-1].mean(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
