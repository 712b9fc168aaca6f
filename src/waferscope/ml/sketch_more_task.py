"""Training the sketch and the label branch that it draws from together.

The branch as it was is its teacher: what it says of labels is held near to that, so features may
learn of zones without forgetting patterns.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from waferscope.errors import ConfigError
from waferscope.ml.config import TrainConfig
from waferscope.ml.losses import drift_loss
from waferscope.ml.model import WaferNet
from waferscope.ml.sketch_batches import SketchBatch
from waferscope.ml.sketch_task import SketchTask, glance_of, look, sketch_of
from waferscope.ml.task import decayed_groups


class SketchMoreTask(SketchTask):
    """A run in which the sketch learns, and the label branch at a share of its rate.

    The branch is run as its teacher is, and as it serves: batch norms keep what they have seen,
    and nothing is dropped.
    """

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        self.teacher = copy.deepcopy(glance_of(self.net)).requires_grad_(False)

    def branch_of(self, net: WaferNet) -> nn.Module:
        """Return what learns of a network: its label branch and its sketch."""
        return nn.ModuleList([glance_of(net), sketch_of(net)])

    def start_from(self, net: WaferNet) -> None:
        """Begin with the weights of a network that sketches, and hold its labels.

        Raises ConfigError for a network without a sketch: one that draws at random would spoil
        the features.
        """
        if net.sketch is None:
            raise ConfigError(
                "Expected a network that sketches to go on with, got one that does not. "
                "Train one with `sketch` first."
            )
        super().start_from(net)
        self.teacher.load_state_dict(glance_of(net).state_dict())

    def batch_loss(self, batch: SketchBatch) -> Tensor:
        """Return the loss of one batch, a scalar, and log its terms."""
        glance = glance_of(self.net)
        features = look(glance, batch)
        with torch.no_grad():
            known = self.teacher.eval().name(look(self.teacher, batch))
        masks = self.mask_loss(features, batch)
        drift = drift_loss(glance.name(features).float(), known.float())
        labels = self.config.loss.patterns * drift
        self.log_dict({"loss/masks": masks.detach(), "loss/patterns": labels.detach()})
        return masks + labels

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what learns, the label branch at its share of the rate."""
        decay, rate = self.config.weight_decay, self.config.learning_rate
        share = {"lr": rate * self.config.branch_rate}
        branch = [group | share for group in decayed_groups(glance_of(self.net), decay)]
        return decayed_groups(sketch_of(self.net), decay) + branch
