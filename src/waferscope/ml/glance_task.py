"""Training the label branch of a network whose other weights stand still.

What the decoder marks stays what it is, die for die, and a step costs a twentieth of one of the
whole network: so the labels, which need many more wafers than the masks, can see them.
"""

from __future__ import annotations

from torch import Tensor, nn

from waferscope.errors import ConfigError
from waferscope.ml.batches import Batch
from waferscope.ml.branch_task import BranchTask
from waferscope.ml.config import TrainConfig
from waferscope.ml.glance import Glance
from waferscope.ml.losses import pattern_loss
from waferscope.ml.model import WaferNet


class GlanceTask(BranchTask):
    """A run in which the label branch alone learns.

    Begun with no trained network, the labels are the branch's alone: the decoder's are silenced.
    """

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        if config.start_from is None:
            for net in (self.net, self.mean):
                nn.init.zeros_(net.pattern_head.weight)
                nn.init.zeros_(net.pattern_head.bias)

    def branch_of(self, net: WaferNet) -> Glance:
        """Return the label branch of a network; raise ConfigError where it has none."""
        if net.glance is None:
            raise ConfigError("Expected a network with a label branch, got none. Set its width.")
        return net.glance

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch and log it; the rest of the network is not run."""
        self.seed_step()
        self.net.eval()
        loss = self.label_loss(self.answer(batch.dies), batch)
        self.log("loss", loss.detach(), prog_bar=True)
        return loss

    def answer(self, dies: Tensor) -> Tensor:
        """Return the logits [B, P] of the branch that learns, in training mode."""
        logits: Tensor = self.branch_of(self.net).train()(dies)
        return logits.float()

    def label_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the loss of logits [B, P] against what is known of a batch, a scalar."""
        smoothing = self.config.loss.label_smoothing
        return pattern_loss(logits, batch.patterns, batch.weight, smoothing)
