"""FixMatch for the label branch: pattern labels from few labelled wafers and many without.

The running mean of the branch is the teacher: what it makes of the weak view of a wafer without
label, the branch has to find in the strong one. See `waferscope.ml.semi`, which does the same for
masks and labels of the whole network. Shapes: U unlabelled wafers, P patterns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from waferscope.errors import ConfigError
from waferscope.ml.config import TrainConfig
from waferscope.ml.glance_task import GlanceTask
from waferscope.ml.pairs import PairBatch
from waferscope.ml.pseudo import SurestThresholds, overlay
from waferscope.ml.semi import unlabelled_weight


class GlanceSemiTask(GlanceTask):
    """A run of the label branch that also learns from wafers without labels."""

    def __init__(self, config: TrainConfig, data_fingerprint: str, shares: Tensor) -> None:
        """Begin the run; ``shares`` [P] of the unlabelled wafers are thought to have each label."""
        super().__init__(config, data_fingerprint)
        if config.semi is None:
            raise ConfigError("Expected a recipe with `semi` settings, got none. Add them.")
        self.semi = config.semi
        self.thresholds = SurestThresholds(
            self.semi.surest * shares,
            self.semi.lowest,
            self.semi.threshold,
            self.semi.floor,
            self.semi.momentum,
        )

    def training_step(self, batch: PairBatch, _: int) -> Tensor:  # type: ignore[override]
        """Return the loss of one batch, labelled and unlabelled, and log its terms."""
        self.seed_step()
        self.net.eval()
        taught = self.teach(batch.weak.dies)
        strong = batch.strong._replace(patterns=overlay(taught, batch.strong.patterns))
        known = batch.labelled
        logits = self.answer(torch.cat([known.dies, strong.dies]))
        labelled = self.label_loss(logits[: len(known.dies)], known)
        unlabelled = self.label_loss(logits[len(known.dies) :], strong)
        share = unlabelled_weight(self.global_step / self.config.steps, self.semi)
        loss = labelled + share * unlabelled
        self.log_dict({"loss/labelled": labelled.detach(), "loss/unlabelled": unlabelled.detach()})
        self.log("loss", loss.detach(), prog_bar=True)
        return loss

    @torch.no_grad()
    def teach(self, dies: Tensor) -> Tensor:
        """Return the teacher's pseudo-labels int8 [U, P] of ``dies``, and move its thresholds."""
        probs = torch.sigmoid(self.branch_of(self.mean).eval()(dies).float())
        self.thresholds.update(probs)
        labels = self.thresholds.label(probs)
        self.log("semi/labels_sure", (labels >= 0).float().mean())
        self.log("semi/labels_found", (labels == 1).float().sum(dim=1).mean())
        return labels
