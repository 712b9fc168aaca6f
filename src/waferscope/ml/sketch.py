"""Zones drawn on the thumbnail: a second opinion on masks, from what the label branch sees.

The decoder looks at dies, and knows few wafers of each size; the label branch looks at wafers of
all sizes alike. Its features are drawn from here, at 64 x 64, and spread back over the dies.
Shapes: B batch, C classes, H and W the canvas, S the side of the thumbnail.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from waferscope.ml.blocks import ConvBlock
from waferscope.ml.glance import Seen
from waferscope.ml.thumbnail import SIDE, THUMBNAIL

FINE = 16
"""Channels that read the thumbnail itself."""


class Sketch(nn.Module):
    """Mask logits of wafers, from the features of a `Glance`.

    ``channels`` are those of its encoder, ``widths`` those of this decoder, the coarsest first.
    """

    def __init__(
        self, channels: tuple[int, ...], widths: tuple[int, ...], classes: int, dropout: float
    ) -> None:
        super().__init__()
        stem, c2, c3, c4, c5 = channels
        w5, w4, w3, w2, w1 = widths
        self.whole = nn.Conv2d(c5, w5, 1)
        self.top = ConvBlock(c5, w5, 1)
        self.dropout = nn.Dropout2d(dropout)
        self.merge4 = ConvBlock(w5 + c4, w4)
        self.merge3 = ConvBlock(w4 + c3, w3)
        self.merge2 = ConvBlock(w3 + c2 + stem, w2)
        self.fine = nn.Sequential(ConvBlock(len(THUMBNAIL) + 1, FINE), ConvBlock(FINE, FINE))
        self.merge1 = ConvBlock(w2 + FINE, w1)
        self.head = nn.Conv2d(w1, classes, 1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]
        for side in (SIDE // 8, SIDE // 4, SIDE // 2, SIDE):
            self.register_buffer(f"picks{side}", torch.arange(side) // 2, persistent=False)

    def forward(self, planes: Tensor, features: list[Tensor]) -> Tensor:
        """Return logits [B, C, S, S] of thumbnails with their fold [B, 5, S, S]."""
        stem, f2, f3, f4, f5 = features
        x = self.top(f5) + self.whole(f5.mean(dim=(2, 3), keepdim=True))
        x = self.merge4(self._join(self.dropout(x), f4))
        x = self.merge3(self._join(x, f3))
        x = self.merge2(self._join(x, f2, stem))
        logits: Tensor = self.head(self.merge1(self._join(x, self.fine(planes))))
        return logits

    def draw(self, seen: Seen, fold: Tensor) -> Tensor:
        """Return logits [B, C, H, W], given what a `Glance` sees and the fold [B, 1, H, W]."""
        planes = torch.cat([seen.planes, seen.lattice.shrink(fold)], dim=1)
        return seen.lattice.spread(self(planes, seen.features))

    def _join(self, low: Tensor, *high: Tensor) -> Tensor:
        """Double ``low`` by copying rows and columns, and add what is as fine.

        Channels last, as int8 convolutions on a CPU want it: copying columns else took as long as
        three of them.
        """
        picks: Tensor = getattr(self, f"picks{2 * low.shape[2]}")
        last = low.permute(0, 2, 3, 1)
        doubled = last.index_select(1, picks).index_select(2, picks).permute(0, 3, 1, 2)
        return torch.cat([doubled, *high], dim=1)
