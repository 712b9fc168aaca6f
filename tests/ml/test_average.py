"""The mean of networks: of their weights by a loop, with norms that fit what it sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.ml.small import TINY, build_net, draw_dies, short_run, write_checkpoint
from waferscope.errors import ConfigError
from waferscope.ml.average import average, mean_network, renew_norms
from waferscope.ml.sources import RUN_NOTE, SYNTHETIC, WM811K, lineage_of, sources_of
from waferscope.ml.train import load_network


@pytest.fixture
def feed(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    dies = np.stack([draw_dies(rng, [label], (64, 64)) for label in ("Loc", "Center", "Donut")])
    return torch.from_numpy(dies), torch.from_numpy(rng.random(dies.shape, np.float32))


def test_every_weight_is_the_mean() -> None:
    nets = [build_net(seed) for seed in range(3)]
    found = mean_network(nets)
    assert not found.training
    for name, value in found.state_dict().items():
        if value.is_floating_point():
            each = np.stack([net.state_dict()[name].numpy() for net in nets])
            np.testing.assert_allclose(value.numpy(), each.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_a_network_averaged_with_itself_stays(feed: tuple[torch.Tensor, torch.Tensor]) -> None:
    net = build_net(1)
    again = mean_network([net, net])
    with torch.no_grad():
        torch.testing.assert_close(again(*feed).mask_logits, net(*feed).mask_logits)


def test_norms_take_the_mean_over_the_batches(feed: tuple[torch.Tensor, torch.Tensor]) -> None:
    net = build_net(2)
    stem = next(module for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    stem.register_forward_pre_hook(lambda _, given: seen.append(given[0].mean(dim=(0, 2, 3))))
    dies, fold = feed
    renew_norms(net, [(dies, fold), (dies[:2], fold[:2])])
    torch.testing.assert_close(stem.running_mean, torch.stack(seen).mean(dim=0))
    assert not any(module.training for module in net.modules())
    assert stem.momentum == 0.1


def test_a_checkpoint_comes_out_that_knows_where_it_comes_from(tmp_path: Path) -> None:
    paths = []
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        paths.append(write_checkpoint(tmp_path / str(seed), build_net(seed)))
        mix = {"synth": 0.5, "real": 0.5 * seed, "annotated": 0.0}
        (tmp_path / str(seed) / RUN_NOTE).write_text(json.dumps({"buckets": [{"mix": mix}]}))
    found = average(short_run(), paths, tmp_path / "mean")
    net, about = load_network(found)
    assert about["recipe"] == "average"
    assert lineage_of(found) == ("smoke, 6 steps", "smoke, 6 steps")
    assert sources_of(found) == (SYNTHETIC, WM811K)
    weights = dict(net.named_parameters())
    for name, value in mean_network([build_net(0), build_net(1)]).named_parameters():
        torch.testing.assert_close(weights[name], value)
    again, _ = load_network(average(short_run(), paths, tmp_path / "again"))
    for name, value in again.state_dict().items():
        assert torch.equal(value, net.state_dict()[name])


def test_networks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one = write_checkpoint(tmp_path, build_net(0))
    with pytest.raises(ConfigError, match="at least two networks"):
        average(short_run(), [one], tmp_path / "mean")
    (tmp_path / "other").mkdir()
    config = replace(TINY, embedding=16)
    saved = torch.load(one, weights_only=True)
    saved["waferscope"]["model"]["embedding"] = 16
    state = build_net(0, config).state_dict().items()
    saved["state_dict"] = {f"ema.module.{name}": tensor for name, tensor in state}
    torch.save(saved, tmp_path / "other" / "last.ckpt")
    with pytest.raises(ConfigError, match="one architecture"):
        average(short_run(), [one, tmp_path / "other" / "last.ckpt"], tmp_path / "mean")
