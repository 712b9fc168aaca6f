"""Training the sketch and the label branch that it draws from together.

Features that name a wafer's pattern serve zones better once they may learn of zones; what the
branch said of labels before is its teacher, so that labels stay what they were.
Shapes: B batch, P patterns.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from waferscope.ml.config import TrainConfig
from waferscope.ml.model import WaferNet
from waferscope.ml.sketch_batches import SketchBatch
from waferscope.ml.sketch_task import SketchTask, glance_of, look, sketch_loss, sketch_of


class SketchMoreTask(SketchTask):
    """A run in which the sketch learns, and the label branch at a share of its rate.

    The branch's batch norms keep what they have seen: its teacher looks at the same wafers so.
    """

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        self.teacher = copy.deepcopy(glance_of(self.net)).requires_grad_(False)

    def branch_of(self, net: WaferNet) -> nn.Module:
        """Return what learns of a network: its label branch and its sketch."""
        return nn.ModuleList([glance_of(net), sketch_of(net)])

    def start_from(self, net: WaferNet) -> None:
        """Begin with the weights of a network, whose labels are to be kept."""
        super().start_from(net)
        self.teacher.load_state_dict(glance_of(net).state_dict())

    def training_step(self, batch: SketchBatch, _: int) -> Tensor:  # type: ignore[override]
        """Return the loss of one batch and log it; the decoder is not run."""
        self.seed_step()
        self.net.eval()
        glance, sketch = glance_of(self.net), sketch_of(self.net).train()
        features = look(glance, batch)
        with torch.no_grad():
            known = self.teacher.eval().name(look(self.teacher, batch))
        config = self.config.loss
        masks = sketch_loss(sketch(batch.planes, features).float(), batch, config)
        labels = config.patterns * drift(glance.name(features).float(), known.float())
        loss = masks + labels
        self.log_dict({"loss/masks": masks.detach(), "loss/labels": labels.detach()})
        self.log("loss", loss.detach(), prog_bar=True)
        return loss

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what learns, the label branch at its share of the rate."""
        decay = self.config.weight_decay
        rate = self.config.learning_rate
        return [
            {"params": [p for p in part.parameters() if (p.ndim > 1) == wide], "lr": lr, **extra}
            for part, lr in (
                (sketch_of(self.net), rate),
                (glance_of(self.net), rate * self.config.branch_rate),
            )
            for wide, extra in ((True, {"weight_decay": decay}), (False, {"weight_decay": 0.0}))
        ]


def drift(logits: Tensor, known: Tensor) -> Tensor:
    """Return how far label probabilities have gone from those of a teacher, a scalar.

    Both are logits [B, P]; the Kullback-Leibler divergence of each label, summed over labels, mean
    over wafers: 0 where nothing moved.
    """
    truth = torch.sigmoid(known)
    away = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    least = F.binary_cross_entropy_with_logits(known, truth, reduction="none")
    return (away - least).sum(dim=1).mean()
