"""Training one part of a network: it alone has gradients, and its mean alone moves."""

from __future__ import annotations

import torch
from torch import nn

from tests.ml.small import short_run
from waferscope.ml.branch_task import BranchTask
from waferscope.ml.model import WaferNet


class HeadTask(BranchTask):
    """A run in which the mask head alone learns."""

    def branch_of(self, net: WaferNet) -> nn.Conv2d:
        """Return the mask head."""
        return net.mask_head


def test_the_branch_alone_learns_and_its_mean_alone_moves() -> None:
    task = HeadTask(short_run())
    learning = {name for name, p in task.net.named_parameters() if p.requires_grad}
    assert learning == {"mask_head.weight", "mask_head.bias"}
    before = {name: value.clone() for name, value in task.mean.state_dict().items()}
    with torch.no_grad():
        for parameter in task.net.parameters():
            parameter.add_(1.0)
    task.on_train_batch_end()
    moved = {n for n, v in task.mean.state_dict().items() if not torch.equal(v, before[n])}
    assert moved == learning
    assert int(task.ema.n_averaged) == 1
