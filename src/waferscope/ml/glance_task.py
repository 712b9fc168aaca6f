"""Training the label branch of a network whose other weights stand still.

The masks stay what they are, die for die, and a step costs a twentieth of one of the whole
network: so the labels, which need many more wafers than the masks, can see them.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from waferscope.errors import ConfigError
from waferscope.ml.batches import Batch
from waferscope.ml.config import TrainConfig
from waferscope.ml.glance import Glance
from waferscope.ml.losses import pattern_loss
from waferscope.ml.task import SegmentationTask, ema_update


class GlanceTask(SegmentationTask):
    """A run in which the label branch alone learns.

    Begun with no trained network, the labels are the branch's alone: the decoder's are silenced.
    """

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        self.net.requires_grad_(False)
        for glance in self.branches():
            glance.requires_grad_(glance is self.net.glance)
        if config.start_from is None:
            for net in (self.net, self.mean):
                nn.init.zeros_(net.pattern_head.weight)
                nn.init.zeros_(net.pattern_head.bias)
        self.move = ema_update(config.ema_decay)

    def branches(self) -> tuple[Glance, Glance]:
        """Return the branch that learns and the mean of it that ships."""
        mine, mean = self.net.glance, self.mean.glance
        if mine is None or mean is None:
            raise ConfigError("Expected a network with a label branch, got none. Set its width.")
        return mine, mean

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch and log it; the rest of the network is not run."""
        self.seed_step()
        self.net.eval()
        loss = self.label_loss(self.answer(batch.dies), batch)
        self.log("loss", loss.detach(), prog_bar=True)
        return loss

    def answer(self, dies: Tensor) -> Tensor:
        """Return the logits [B, P] of the branch that learns, in training mode."""
        glance, _mean = self.branches()
        logits: Tensor = glance.train()(dies)
        return logits.float()

    def label_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the loss of logits [B, P] against what is known of a batch, a scalar."""
        smoothing = self.config.loss.label_smoothing
        return pattern_loss(logits, batch.patterns, batch.weight, smoothing)

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the mean of the branch towards the weights just updated."""
        mine, mean = self.branches()
        pairs = [(list(g.parameters()) + list(g.buffers())) for g in (mean, mine)]
        self.move(*pairs, self.ema.n_averaged)
        self.ema.n_averaged += 1
