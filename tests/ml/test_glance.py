"""The label branch: a logit for each pattern."""

from __future__ import annotations

import torch

from waferscope.ml.glance import Glance


def test_the_branch_gives_a_logit_for_each_pattern_and_begins_with_no() -> None:
    torch.manual_seed(0)
    branch = Glance(8, 5, 0.1).eval()
    logits = branch(torch.ones(3, 96, 64, dtype=torch.uint8))
    assert logits.shape == (3, 5)
    assert bool((torch.sigmoid(logits) < 0.5).all())
