"""Masks listen to labels: where no label speaks for a class, its zone counts for less.

The decoder knows where a zone is, the label branch, which saw many more wafers, whether there is
one. The probability of a zone is the product of both; and a wafer that fails all over by its label
fails so wherever no other zone is. Shapes: B batch, C classes, P patterns, H and W the canvas.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from waferscope.domain.taxonomy import Taxonomy

DOUBT: Final = -3.0
"""Logit of a label, 0.05, at which its class counts for a half: far below what labels need."""
SOFTNESS: Final = 2.0
"""By how much a label's logit moves the odds of presence; see docs/decisions/0007."""
_SILENT: Final = -100.0
"""Logit of a label that says nothing of a class."""


class Presence(nn.Module):
    """Shares [B, C], 0 to 1, by which zones count, from pattern logits [B, P].

    The label that is likeliest among those of a class speaks for it; a class without a label
    counts in full.
    """

    silent: Tensor
    unnamed: Tensor

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        of_label = [taxonomy.pattern_class.get(label) for label in taxonomy.patterns]
        silent = torch.tensor([[one != c for one in of_label] for c in taxonomy.class_names])
        self.register_buffer("silent", silent, persistent=False)
        self.register_buffer("unnamed", silent.all(dim=1).float(), persistent=False)

    def forward(self, pattern_logits: Tensor) -> Tensor:
        """Return the shares [B, C]."""
        likeliest = pattern_logits[:, None].masked_fill(self.silent, _SILENT).amax(dim=2)
        return torch.sigmoid((likeliest - DOUBT) / SOFTNESS).maximum(self.unnamed)


class AllOver(nn.Module):
    """Give a wafer to the class that fails all over where its label is sure of it.

    Such a class, of the whole wafer, has all dies outside other zones; classes of the whole wafer
    that no label names, easily mistaken for it, give way. A taxonomy need not have either.
    """

    silent: Tensor

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        named = set(taxonomy.pattern_class.values())
        whole = [c.name for c in taxonomy.classes if c.grouping == "whole"]
        self.own = [taxonomy.channel(name) for name in whole if name in named]
        self.mistaken = [taxonomy.channel(name) for name in whole if name not in named]
        of_label = [taxonomy.pattern_class.get(label) for label in taxonomy.patterns]
        silent = [[one != taxonomy.class_names[c] for one in of_label] for c in self.own]
        self.register_buffer("silent", torch.tensor(silent, dtype=torch.bool), persistent=False)

    def forward(self, zones: Tensor, pattern_logits: Tensor) -> Tensor:
        """Return the probabilities of zones [B, C, H, W] with those of such classes."""
        if not self.own:
            return zones
        likeliest = pattern_logits[:, None].masked_fill(self.silent, _SILENT).amax(dim=2)
        sure = torch.sigmoid(likeliest)[:, :, None, None]  # [B, own, 1, 1]
        left = 1.0 - sure.amax(dim=1)
        planes = [
            zones[:, c] * left if c in self.mistaken else zones[:, c] for c in range(zones.shape[1])
        ]
        others = torch.stack([p for c, p in enumerate(planes) if c not in self.own], dim=1)
        free = 1.0 - others.amax(dim=1)
        for n, c in enumerate(self.own):
            planes[c] = torch.maximum(planes[c], sure[:, n] * free)
        return torch.stack(planes, dim=1)
