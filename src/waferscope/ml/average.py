"""One network out of several that began with the same weights: their mean.

It is often better than each of them. Sources: Wortsman et al., "Model soups", ICML 2022; batch
norms are taken anew as by Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from waferscope.errors import ConfigError
from waferscope.ml.batches import BatchPlan, for_whole_network
from waferscope.ml.config import TrainConfig
from waferscope.ml.graph.restore import Feed
from waferscope.ml.model import WaferNet
from waferscope.ml.sources import note_average
from waferscope.ml.task import ABOUT
from waferscope.ml.train import AVERAGED, LAST, open_corpora, starting_network

NORM_BATCHES: Final = 60
"""Batches of the recipe on which batch norms take their statistics."""
NORM_SEED: Final = 77_000_000
"""Seed of these batches, far from those that runs train with."""


def average(config: TrainConfig, paths: Sequence[Path], folder: Path) -> Path:
    """Write the mean of networks as a checkpoint ``last.ckpt`` in ``folder``; return its path.

    ``paths`` are checkpoints or model files; ``config`` is a recipe, of which only the wafers are
    used. Raises ConfigError for less than two, or when they are not of one kind.
    """
    if len(paths) < 2:
        raise ConfigError(
            f"Expected at least two networks to average, got {len(paths)}. Name another one."
        )
    corpus, _ = open_corpora(config)
    nets = [starting_network(replace(config, start_from=path), corpus) for path in paths]
    if any(net.config != nets[0].config for net in nets):
        raise ConfigError("Expected networks of one architecture, got several. Leave some out.")
    plan = BatchPlan(replace(for_whole_network(config), seed=NORM_SEED), corpus, 0, NORM_BATCHES)
    net = mean_network(nets)
    batches = (plan[n] for n in range(NORM_BATCHES))
    renew_norms(net, ((batch.dies, batch.fold) for batch in batches))
    folder.mkdir(parents=True, exist_ok=True)
    note_average(folder, paths)
    about = {
        "model": asdict(net.config),
        "recipe": "average",
        "steps": NORM_BATCHES,
        "seed": NORM_SEED,
        "data_fingerprint": corpus.fingerprint,
    }
    state = {AVERAGED + name: value for name, value in net.state_dict().items()}
    torch.save({ABOUT: about, "state_dict": state}, folder / LAST)
    return folder / LAST


def mean_network(nets: Sequence[WaferNet]) -> WaferNet:
    """Return a network whose weights are the mean of those of ``nets``, in evaluation mode."""
    states = [net.state_dict() for net in nets]
    mean: dict[str, Tensor] = {
        name: torch.stack([s[name] for s in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
    net = WaferNet(nets[0].config)
    net.load_state_dict(mean)
    return net.eval()


@torch.no_grad()
def renew_norms(net: WaferNet, feeds: Iterable[Feed]) -> None:
    """Let every batch norm forget its statistics and take the mean of those of the ``feeds``.

    Those of the averaged networks belong to activations that the mean network does not have.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    for dies, fold in feeds:
        net(dies, fold)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
