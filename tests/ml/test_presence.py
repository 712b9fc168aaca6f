"""Presence: the likeliest label of a class speaks for it; what fails all over takes the rest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import ALL_OVER, CLASSES, PATTERNS, build_net, draw_dies
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.ml.graph.export import Served
from waferscope.ml.presence import DOUBT, SOFTNESS, Presence

WHOLE = ("lithography", "etching", "random")


def logits_of(said: dict[str, float]) -> Tensor:
    """Return a row of logits, those of labels that are not said far below."""
    row = torch.full((1, len(PATTERNS)), -40.0)
    for label, value in said.items():
        row[0, PATTERNS.index(label.replace("_", "-"))] = value
    return row


def shares(**logits: float) -> dict[str, float]:
    """Return the shares of classes for logits of labels, all others silent."""
    found, _ = Presence(DEFAULT_TAXONOMY).weigh(logits_of(logits))
    assert found.shape == (1, len(CLASSES))
    return dict(zip(CLASSES, found[0].tolist(), strict=True))


@pytest.mark.parametrize("label", PATTERNS)
def test_a_label_speaks_for_its_class_alone(label: str) -> None:
    found = shares(**{label: 12.0})
    own = DEFAULT_TAXONOMY.pattern_class[label]
    assert found.pop(own) > 0.999
    alone = label not in ALL_OVER  # no label names these two, which give way to one class
    assert (found.pop("lithography") > 0.999) == (found.pop("etching") > 0.999) == alone
    assert max(found.values()) < 1e-6


def test_the_likeliest_label_of_a_class_counts() -> None:
    both = shares(Edge_Loc=-5.0, Edge_Ring=1.0)["edge"]
    assert both == shares(Edge_Ring=1.0)["edge"] == shares(Edge_Loc=1.0)["edge"]


def test_a_doubtful_label_halves_and_odds_follow_its_logit() -> None:
    assert shares(Scratch=DOUBT)["scratch"] == pytest.approx(0.5)
    share = shares(Scratch=1.0)["scratch"]
    assert math.log(share / (1 - share)) == pytest.approx((1.0 - DOUBT) / SOFTNESS, rel=1e-4)


def test_another_taxonomy_is_followed() -> None:
    swapped = replace(DEFAULT_TAXONOMY, pattern_class={"Loc": "etching"})
    found = dict(zip(CLASSES, Presence(swapped).weigh(logits_of({}))[0][0].tolist(), strict=True))
    assert found.pop("etching") < 1e-6
    assert set(found.values()) == {1.0}


def served(branch: bool, logit: float) -> tuple[Tensor, Tensor]:
    """Return the masks that a network has, and those it serves, whose labels all have one logit."""
    net = build_net()
    with torch.no_grad():
        net.pattern_head.weight.zero_()
        net.pattern_head.bias.fill_(logit)
        assert net.glance is not None
        net.glance.head.weight.zero_()
        net.glance.head.bias.zero_()
        if not branch:
            net.glance = None
        rng = np.random.default_rng(0)
        dies = torch.from_numpy(draw_dies(rng, ["Loc"], (32, 32)))[None]
        fold = torch.zeros(1, 32, 32)
        plain = torch.sigmoid(net(dies, fold).mask_logits) * (dies > 0)
        return plain, Served(net)(dies, fold)[0]


def test_zones_served_are_those_of_the_decoder_by_their_shares() -> None:
    plain, found = served(branch=True, logit=DOUBT)
    named = torch.tensor([name not in WHOLE for name in CLASSES])
    torch.testing.assert_close(found[:, named], plain[:, named] / 2)
    sure = 1.0 / (1.0 + math.exp(-DOUBT))
    mistaken = [CLASSES.index(name) for name in WHOLE[:2]]
    torch.testing.assert_close(found[:, mistaken], plain[:, mistaken] * (1.0 - sure))


def all_over(zones: dict[str, float], **logits: float) -> dict[str, float]:
    """Return the zones of one die, by the decoder ``zones``, on a wafer with these logits."""
    given = torch.tensor([[zones.get(name, 0.0) for name in CLASSES]])[:, :, None, None]
    found = Presence(DEFAULT_TAXONOMY)(given, logits_of(logits))
    assert found.shape == given.shape
    return dict(zip(CLASSES, found.flatten().tolist(), strict=True))


@pytest.mark.parametrize("label", ALL_OVER)
def test_a_wafer_that_fails_all_over_does_so_outside_other_zones(label: str) -> None:
    zones = {"etching": 0.9, "lithography": 0.8, "scratch": 0.7}
    found = all_over(zones, Scratch=40.0, **{label.replace("-", "_"): 40.0})
    assert found["etching"] < 1e-6
    assert found["lithography"] < 1e-6
    assert found["scratch"] == pytest.approx(0.7)
    assert found["random"] == pytest.approx(0.3)


def test_a_label_that_is_not_said_moves_nothing() -> None:
    found = all_over({"etching": 0.9, "scratch": 0.7, "random": 0.2}, Scratch=40.0)
    assert found["etching"] == pytest.approx(0.9)
    assert found["scratch"] == pytest.approx(0.7)
    assert found["random"] < 1e-6


def test_a_decoder_that_is_surer_than_the_label_is_kept() -> None:
    share = shares(Random=0.0)["random"]
    assert all_over({"random": 0.9}, Random=0.0)["random"] == pytest.approx(0.9 * share)
    assert all_over({"random": 0.1}, Random=0.0)["random"] == pytest.approx(0.5)


def test_another_class_of_the_whole_wafer_that_a_label_names_gets_no_more_than_its_zone() -> None:
    swapped = replace(DEFAULT_TAXONOMY, pattern_class={"Loc": "etching"})
    found = Presence(swapped)(torch.zeros(1, len(CLASSES), 2, 3), logits_of({"Loc": 9.0}))
    assert not found.any()


def by_hand(zones: dict[str, float], said: dict[str, float]) -> dict[str, float]:
    """Return the zones of one die as served, for logits of all labels."""
    own = {
        c: [said[p] for p in PATTERNS if DEFAULT_TAXONOMY.pattern_class[p] == c] for c in CLASSES
    }
    sure = 1 / (1 + math.exp(-max(own["random"])))
    die = {}
    for name, logits in own.items():
        share = 1 / (1 + math.exp((DOUBT - max(logits)) / SOFTNESS)) if logits else 1.0 - sure
        die[name] = zones[name] * share
    free = 1.0 - max(value for name, value in die.items() if name != "random")
    return {**die, "random": max(die["random"], sure * free)}


def test_a_batch_by_a_loop_over_dies() -> None:
    torch.manual_seed(3)
    zones = torch.rand(2, len(CLASSES), 2, 3)
    logits = torch.randn(2, len(PATTERNS)) * 4.0
    logits[0, PATTERNS.index("Random")] = 2.0
    found = Presence(DEFAULT_TAXONOMY)(zones, logits)
    for b, row, col in np.ndindex(2, 2, 3):
        given = dict(zip(CLASSES, zones[b, :, row, col].tolist(), strict=True))
        said = dict(zip(PATTERNS, logits[b].tolist(), strict=True))
        expected = by_hand(given, said)
        die = dict(zip(CLASSES, found[b, :, row, col].tolist(), strict=True))
        assert die == pytest.approx(expected, abs=1e-5)


def test_a_taxonomy_without_such_a_class_has_no_wafer_that_fails_all_over() -> None:
    mapped = replace(DEFAULT_TAXONOMY, pattern_class={"Loc": "particle"})
    zones = torch.rand(2, len(CLASSES), 4, 4)
    sure = torch.full((2, len(PATTERNS)), 90.0)
    torch.testing.assert_close(Presence(mapped)(zones, sure), zones)


def test_a_network_without_a_label_branch_serves_its_masks_as_they_are() -> None:
    plain, found = served(branch=False, logit=DOUBT)
    torch.testing.assert_close(found, plain)
