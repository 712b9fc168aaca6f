"""Masks listen to labels: where no label speaks for a class, its zone counts for less.

The decoder knows where a zone is, the label branch, which saw many more wafers, whether there is
one. The probability of a zone is the product of both. Shapes: B batch, C classes, P patterns.
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
