"""Learning from few labels: FixMatch on die masks and pattern labels.

The running mean of the weights is the teacher. It sees the weak view of unlabelled wafers; what it
is sure of is carried by the very map that moved the dies to the strong view, from which the
student has to find it again. Shapes: L labelled and U unlabelled wafers, C classes, H, W canvas.
Sources: Sohn et al., "FixMatch", NeurIPS 2020; Yang et al., "UniMatch", CVPR 2023 (the stream of
perturbed features); Tarvainen and Valpola, "Mean teachers", NeurIPS 2017.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from waferscope.errors import ConfigError
from waferscope.ml.batches import Batch
from waferscope.ml.config import SemiConfig, TrainConfig
from waferscope.ml.corpus import Corpus
from waferscope.ml.model import WaferOutput
from waferscope.ml.pairs import PairBatch
from waferscope.ml.pseudo import ClassThresholds, SurestThresholds, follow, overlay
from waferscope.ml.task import SegmentationTask, loss_terms


class SemiTask(SegmentationTask):
    """A run that also learns from wafers without labels."""

    def __init__(
        self, config: TrainConfig, data_fingerprint: str = "", shares: Tensor | None = None
    ) -> None:
        """Begin the run; ``shares`` [P] of the unlabelled wafers are thought to have each label."""
        super().__init__(config, data_fingerprint)
        if config.semi is None:
            raise ConfigError("Expected a recipe with `semi` settings, got none. Add them.")
        self.semi = config.semi
        limits = (self.semi.threshold, self.semi.floor, self.semi.momentum)
        self.die_thresholds = ClassThresholds(config.model.classes, *limits)
        expected = torch.zeros(config.model.patterns) if shares is None else shares
        self.label_thresholds = SurestThresholds(
            self.semi.surest * expected, self.semi.lowest, *limits
        )

    def training_step(self, batch: PairBatch, _: int) -> Tensor:  # type: ignore[override]
        """Return the loss of one batch, labelled and unlabelled, and log its terms."""
        self.seed_step()
        weak = self.teach(batch.weak)
        strong = carry_over(weak, batch.strong, batch.source)
        known = batch.labelled
        net = self.network(known.dies.shape[1])
        out = net(torch.cat([known.dies, strong.dies]), torch.cat([known.fold, strong.fold]))
        ours, theirs = split(out, len(known.dies))
        terms = loss_terms(ours, known, self.config.loss)
        share = unlabelled_weight(self.global_step / self.config.steps, self.semi)
        unlabelled = total(loss_terms(theirs, strong, self.config.loss))
        if self.semi.feature_weight > 0.0:
            seen = self.net.perturbed(weak.dies, weak.fold, self.semi.feature_dropout)
            both = total(loss_terms(seen, weak, self.config.loss))
            unlabelled = unlabelled + self.semi.feature_weight * both
        terms["unlabelled"] = share * unlabelled
        self.log_dict({f"loss/{k}": v.detach() for k, v in terms.items()})
        loss = total(terms)
        self.log("loss", loss.detach(), prog_bar=True)
        return loss

    @torch.no_grad()
    def teach(self, weak: Batch) -> Batch:
        """Return the weak view with the teacher's pseudo-labels, and move its thresholds."""
        out: WaferOutput = self.ema.eval()(weak.dies, weak.fold)
        zones, labels = torch.sigmoid(out.mask_logits.float()), torch.sigmoid(out.pattern_logits)
        failing = zones.permute(0, 2, 3, 1)[weak.dies == 2]
        self.die_thresholds.update(failing)
        self.label_thresholds.update(labels.float())
        target = self.die_thresholds.label(zones)
        target[(weak.dies == 0)[:, None].expand_as(target)] = -1
        patterns = self.label_thresholds.label(labels.float())
        self.log_dict(
            {
                "semi/dies_sure": (self.die_thresholds.label(failing) >= 0).float().mean(),
                "semi/labels_sure": (patterns >= 0).float().mean(),
                "semi/labels_found": (patterns == 1).float().sum(dim=1).mean(),
            }
        )
        return weak._replace(target=target, patterns=patterns)


def carry_over(weak: Batch, strong: Batch, source: Tensor) -> Batch:
    """Return the strong view with the pseudo-labels of the weak one and what was laid on top."""
    return strong._replace(
        target=overlay(follow(weak.target, source), strong.target),
        patterns=overlay(weak.patterns, strong.patterns),
    )


def expected_shares(config: TrainConfig, corpus: Corpus) -> Tensor:
    """Return how many of the unlabelled wafers of a run should have each label, [P].

    As many as of the labelled ones of the same size, which are a sample of the same wafers.
    """
    batches = [0.5 * (b.share + b.final_share) * b.batch for b in config.buckets]
    shares = [corpus.label_shares(b.side) for b in config.buckets]
    return torch.tensor(np.average(shares, axis=0, weights=batches), dtype=torch.float32)


def split(out: WaferOutput, first: int) -> tuple[WaferOutput, WaferOutput]:
    """Return what the network says of the first wafers of a batch, and of the others."""
    return WaferOutput(*(t[:first] for t in out)), WaferOutput(*(t[first:] for t in out))


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the sum of loss terms, a scalar."""
    return torch.stack(list(terms.values())).sum()


def unlabelled_weight(done: float, semi: SemiConfig) -> float:
    """Return the weight of the unlabelled loss when a share ``done`` of the run is over.

    >>> semi = SemiConfig(weight=1.0, wait=0.1, ramp=0.4)
    >>> [round(unlabelled_weight(x, semi), 6) for x in (0.0, 0.3, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 1.0]
    """
    if done >= semi.wait + semi.ramp:
        return semi.weight
    return semi.weight * max(0.0, done - semi.wait) / semi.ramp
