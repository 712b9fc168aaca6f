"""The peer: a plain ResNet-18 classifier on resized maps, the usual published recipe.

It exists to be compared with. Maps are resized to 64 x 64 by nearest neighbour, one plane each for
no die, pass and fail; one softmax over the patterns and `none`; 8-symmetry augmentation; AdamW
with a cosine schedule. Shapes: N wafers, B batch, K = P + 1 labels, the last one `none`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.ml.encoder import ResNetEncoder
from waferscope.ml.evaluation.symmetry import SYMMETRIES, turn

SIDE: Final = 64
PLANES: Final = 3
LAST: Final = "peer.ckpt"
Grids = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """How the peer is trained; a checkpoint is written every ``keep_steps`` steps.

    ``mixed_precision``: convolutions in bf16, weights and loss in fp32.
    """

    epochs: int = 10
    batch: int = 128
    learning_rate: float = 1.0e-3
    weight_decay: float = 1.0e-4
    keep_steps: int = 50
    mixed_precision: bool = False
    seed: int = 0


class PeerNet(nn.Module):
    """ResNet-18, mean over the map, one linear layer."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.encoder = ResNetEncoder(18, PLANES)
        self.head = nn.Linear(self.encoder.channels[-1], labels)

    def forward(self, grids: Tensor) -> Tensor:
        """Map uint8 ``[B, 64, 64]`` to logits ``[B, K]``."""
        planes = F.one_hot(grids.long(), PLANES).permute(0, 3, 1, 2).float()
        logits: Tensor = self.head(self.encoder(planes)[-1].mean(dim=(2, 3)))
        return logits


def resize(dies: Grids, side: int = SIDE) -> Grids:
    """Return a map resized to ``[side, side]`` by nearest neighbour.

    >>> resize(np.array([[0, 1], [2, 1]], np.uint8), 4)[:, 0].tolist()
    [0, 0, 2, 2]
    """
    picks = [((np.arange(side) + 0.5) * n / side).astype(int) for n in dies.shape]
    return np.ascontiguousarray(dies[np.ix_(*picks)])


def single_labels(wafers: Sequence[WaferMap], taxonomy: Taxonomy = DEFAULT_TAXONOMY) -> Labels:
    """Return the place of each wafer's only label in the taxonomy [N], P for none."""
    names = taxonomy.patterns
    return np.array(
        [names.index(w.patterns[0]) if w.patterns else len(names) for w in wafers], np.int64
    )


def train_peer(wafers: Sequence[WaferMap], folder: Path, config: PeerConfig | None = None) -> Path:
    """Train the peer, or go on with it, in ``folder``; return its checkpoint.

    Raises ConfigError for a folder in which a peer of other settings was begun.
    """
    config = config or PeerConfig()
    grids, labels = np.stack([resize(w.dies) for w in wafers]), single_labels(wafers)
    torch.manual_seed(config.seed)
    net = PeerNet(len(DEFAULT_TAXONOMY.patterns) + 1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * (len(wafers) // config.batch)
    folder.mkdir(parents=True, exist_ok=True)
    done = _resume(folder / LAST, net, optimiser, config)
    net.train()
    for step in range(done, steps):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        inputs, target = _batch(grids, labels, config, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.mixed_precision):
            logits = net(inputs)
        loss = F.cross_entropy(logits.float(), target)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        if (step + 1) % config.keep_steps == 0 or step + 1 == steps:
            _keep(folder / LAST, net, optimiser, config, step + 1)
    return folder / LAST


def peer_probs(checkpoint: Path, wafers: Sequence[WaferMap], batch: int = 256) -> npt.NDArray[Any]:
    """Return the peer's softmax [N, K] of wafers."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net = PeerNet(len(DEFAULT_TAXONOMY.patterns) + 1)
    net.load_state_dict(saved["net"])
    net.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(wafers), batch):
            grids = np.stack([resize(w.dies) for w in wafers[start : start + batch]])
            found.append(torch.softmax(net(torch.from_numpy(grids)), dim=1).numpy())
    return np.concatenate(found)


def _batch(grids: Grids, labels: Labels, config: PeerConfig, step: int) -> tuple[Tensor, Tensor]:
    """Return the wafers of a step, each turned or mirrored; depends on seed and step alone."""
    each = len(grids) // config.batch
    epoch, place = divmod(step, each)
    order = np.random.default_rng((config.seed, epoch)).permutation(len(grids))
    picked = order[place * config.batch : (place + 1) * config.batch]
    rng = np.random.default_rng((config.seed, epoch, place))
    turned = [turn(grids[i], int(rng.integers(SYMMETRIES))) for i in picked]
    return torch.from_numpy(np.stack(turned)), torch.from_numpy(labels[picked])


def _keep(
    path: Path, net: PeerNet, optimiser: torch.optim.Optimizer, config: PeerConfig, step: int
) -> None:
    """Write the checkpoint whole: a kill leaves the one before."""
    state = {
        "net": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        "config": asdict(config),
        "step": step,
    }
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def _resume(path: Path, net: PeerNet, optimiser: torch.optim.Optimizer, config: PeerConfig) -> int:
    """Load the checkpoint, if there is one, and return its steps."""
    if not path.exists():
        return 0
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved["config"] != asdict(config):
        raise ConfigError(
            f"Expected the settings that the peer in {path.parent} began with "
            f"({saved['config']}), got {asdict(config)}. Give the changed one its own folder."
        )
    net.load_state_dict(saved["net"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])
