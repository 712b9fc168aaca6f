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
REST: Final = "random"
"""The class whose zone is all that other zones leave."""
_SILENT: Final = -100.0
"""Logit of a label that says nothing of a class."""


class Presence(nn.Module):
    """Zones as labels let them count.

    The label that is likeliest among those of a class speaks for it; a class without a label
    counts in full. `random`, where its label is sure, has all dies outside other zones; classes
    of the whole wafer without a label are easily mistaken for it and give way. A taxonomy need not
    have such a class, or may leave it without a label: then nothing of this happens.
    """

    silent: Tensor
    unnamed: Tensor
    all_over: Tensor
    mistaken: Tensor

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        of_label = [taxonomy.pattern_class.get(label) for label in taxonomy.patterns]
        silent = torch.tensor([[one != c for one in of_label] for c in taxonomy.class_names])
        unnamed = silent.all(dim=1)
        whole = torch.tensor([c.grouping == "whole" for c in taxonomy.classes])
        rest = torch.tensor([name == REST for name in taxonomy.class_names])
        for name, flags in (("unnamed", unnamed), ("all_over", rest & ~unnamed)):
            self.register_buffer(name, flags.float(), persistent=False)
        self.register_buffer("silent", silent, persistent=False)
        self.register_buffer("mistaken", whole & unnamed, persistent=False)

    def forward(self, zones: Tensor, pattern_logits: Tensor) -> Tensor:
        """Return the probabilities of zones [B, C, H, W], given those of the decoder."""
        shares, sure = self.weigh(pattern_logits)
        zones = zones * shares[:, :, None, None]
        others = zones * (1.0 - self.all_over)[:, None, None]
        free = 1.0 - others.amax(dim=1, keepdim=True)
        return zones.maximum(sure[:, :, None, None] * free)

    def weigh(self, pattern_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return by how much zones count, and how sure it is that a class is all over, [B, C]."""
        likeliest = pattern_logits[:, None].masked_fill(self.silent, _SILENT).amax(dim=2)
        shares = torch.sigmoid((likeliest - DOUBT) / SOFTNESS).maximum(self.unnamed)
        sure = torch.sigmoid(likeliest) * self.all_over
        left = 1.0 - sure.amax(dim=1, keepdim=True)
        return torch.where(self.mistaken, shares * left, shares), sure
