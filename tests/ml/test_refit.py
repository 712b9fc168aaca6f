"""The pattern head fitted anew: what it reads, what it learns, and what stays as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.ml.small import PATTERNS, build_net, labelled_wafer, write_checkpoint, write_data
from waferscope.errors import ConfigError
from waferscope.infer.batching import stack
from waferscope.infer.fold import fold_rates
from waferscope.ml.data import LabelledWafer, WaferSet
from waferscope.ml.model import WaferNet, WaferOutput
from waferscope.ml.refit import Kept, RefitConfig, keep_features, label_odds, refit, refit_patterns
from waferscope.ml.sources import lineage_of, sources_of
from waferscope.ml.train import load_network

QUICK = RefitConfig(steps=60, batch=16, learning_rate=1.0e-2)


def some_wafers(count: int = 24) -> tuple[LabelledWafer, ...]:
    rng = np.random.default_rng(4)
    kinds: tuple[tuple[str, ...], ...] = ((), ("Center",), ("Edge-Ring",))
    shapes = ((27, 27), (40, 36))
    return tuple(
        labelled_wafer(rng, *kinds[n % 3], shape=shapes[n % 2], lot=n) for n in range(count)
    )


def ask(net: WaferNet, wafer: LabelledWafer, canvas: tuple[int, int]) -> WaferOutput:
    dies = torch.from_numpy(stack([wafer.dies], canvas))
    with torch.no_grad():
        out: WaferOutput = net(dies, torch.from_numpy(stack([fold_rates(wafer.dies)], canvas)))
    return out


def logits(net: WaferNet, part: Kept) -> Tensor:
    share = part.share.float()
    pooled = (net.pattern_features(part.features.float()) * share).sum((2, 3)) / share.sum((2, 3))
    found: Tensor = net.pattern_head(pooled)
    return found


def test_what_is_kept_is_what_the_head_reads() -> None:
    net, wafers = build_net(), some_wafers()
    parts = keep_features(net, wafers, 0.5)
    assert sorted(tuple(p.features.shape[2:]) for p in parts) == [(8, 8), (16, 16)]
    assert sum(float(p.odds.sum()) for p in parts) == pytest.approx(1.0)
    whole = next(p for p in parts if p.features.shape[2] == 8)
    smalls = [w for w in wafers if w.dies.shape == (27, 27)]
    asked = torch.cat([ask(net, w, (32, 32)).pattern_logits for w in smalls])
    torch.testing.assert_close(logits(net, whole), asked, atol=5e-3, rtol=5e-3)
    truth = [[float(name in w.labels) for name in PATTERNS] for w in smalls]
    assert whole.labels.tolist() == truth


def test_the_head_learns_the_labels_and_the_masks_stay() -> None:
    net, wafers = build_net(), some_wafers()
    before = ask(net, wafers[1], (64, 64))
    untouched = {k: v.clone() for k, v in net.state_dict().items() if "pattern" not in k}
    loss = sum(label_loss(net, part) for part in keep_features(net, wafers, 0.0))
    refit_patterns(net, [WaferSet(wafers[:12], "a"), WaferSet(wafers[12:], "b")], QUICK)
    assert not net.training
    assert sum(label_loss(net, part) for part in keep_features(net, wafers, 0.0)) < 0.6 * loss
    after = ask(net, wafers[1], (64, 64))
    assert torch.equal(after.mask_logits, before.mask_logits)
    assert not torch.equal(after.pattern_logits, before.pattern_logits)
    assert all(torch.equal(net.state_dict()[k], v) for k, v in untouched.items())


def label_loss(net: WaferNet, part: Kept) -> float:
    with torch.no_grad():
        return float(F.binary_cross_entropy_with_logits(logits(net, part), part.labels))


def test_the_same_seed_fits_the_same_head_and_another_one_does_not() -> None:
    heads = []
    for seed in (1, 1, 2):
        net = refit_patterns(
            build_net(), [WaferSet(some_wafers(6), "a")], replace(QUICK, steps=3, seed=seed)
        )
        heads.append(net.pattern_head.weight.detach().clone())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_label_that_is_not_believed_does_not_count() -> None:
    wafers = some_wafers(6)
    doubted = tuple(replace(w, weight=0.0) for w in wafers)
    net = build_net()
    steady = replace(QUICK, steps=5, weight_decay=0.0)
    refit_patterns(net, [WaferSet(doubted, "a")], steady)
    assert torch.equal(net.pattern_head.weight, build_net().pattern_head.weight)


def test_a_checkpoint_is_written_that_says_where_it_comes_from(tmp_path: Path) -> None:
    net = build_net()
    checkpoint = write_checkpoint(tmp_path, net)
    about = load_network(checkpoint)[1]
    (tmp_path / "run.json").write_text(json.dumps({"buckets": [{"mix": {"synth": 1.0}}]}))
    data = write_data(tmp_path / "data", np.random.default_rng(5))
    last = refit(checkpoint, tmp_path / "refit", data, replace(QUICK, steps=2))
    fitted, said = load_network(last)
    assert said == {**about, "recipe": "refit", "steps": 2, "seed": 0}
    assert not torch.equal(fitted.pattern_head.weight, net.pattern_head.weight)
    assert torch.equal(fitted.mask_head.weight, net.mask_head.weight)
    assert lineage_of(last) == ("smoke, 6 steps",)
    assert sources_of(last) == ("synthetic", "WM-811K", "MixedWM38")
    with pytest.raises(ConfigError, match=r"train\.parquet"):
        refit(checkpoint, tmp_path / "again", tmp_path)


@pytest.mark.parametrize(("balance", "rare"), [(0.0, 0.1), (1.0, 0.5)])
def test_rare_labels_are_drawn_as_asked(balance: float, rare: float) -> None:
    odds = label_odds([("Loc",)] + [()] * 9, balance)
    assert odds[0] == pytest.approx(rare)
    assert odds.sum() == pytest.approx(1.0)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ConfigError, match="labelled wafers"):
        refit_patterns(build_net(), [WaferSet((), "none")])
    for changes in ({"steps": 0}, {"batch": 1}, {"balance": 1.5}):
        with pytest.raises(ConfigError, match="balance"):
            replace(QUICK, **changes)
