"""Training one part of a network whose other weights stand still."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import nn

from waferscope.ml.config import TrainConfig
from waferscope.ml.model import WaferNet
from waferscope.ml.task import SegmentationTask, ema_update


class BranchTask(SegmentationTask):
    """A run in which a branch of the network alone learns, and its running mean ships."""

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        self.net.requires_grad_(False)
        self.branch_of(self.net).requires_grad_(True)
        self.move = ema_update(config.ema_decay)

    @abstractmethod
    def branch_of(self, net: WaferNet) -> nn.Module:
        """Return the part of a network that learns; raise ConfigError where it has none."""

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the mean of the branch towards the weights just updated."""
        branches = [self.branch_of(net) for net in (self.mean, self.net)]
        pairs = [(list(b.parameters()) + list(b.buffers())) for b in branches]
        self.move(*pairs, self.ema.n_averaged)
        self.ema.n_averaged += 1
