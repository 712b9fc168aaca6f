"""The taxonomy as data: checked when made, whole after a round trip."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, DefectClass, Taxonomy
from waferscope.errors import ConfigError

FAB = Taxonomy(
    version="fab-7",
    classes=(DefectClass(1, "arc", "#000000", closing=2), DefectClass(2, "spot", "#FFFFFF")),
    patterns=("Arc", "Spot", "Fog"),
    pattern_class={"Arc": "arc", "Spot": "spot"},
)


def test_the_default_has_the_eight_classes_and_labels_in_order() -> None:
    assert DEFAULT_TAXONOMY.class_names == (
        *("edge", "center", "ring", "scratch", "particle", "lithography", "etching", "random"),
    )
    assert [c.id for c in DEFAULT_TAXONOMY.classes] == list(range(1, 9))
    assert DEFAULT_TAXONOMY.patterns == (
        *("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Near-full", "Scratch", "Random"),
    )
    assert set(DEFAULT_TAXONOMY.pattern_class) == set(DEFAULT_TAXONOMY.patterns)


def test_the_default_rules_are_those_of_the_classes_page() -> None:
    rules = {c.name: c for c in DEFAULT_TAXONOMY.classes}
    bridged = {n for n, c in rules.items() if c.closing == 1}
    # The page names three; a center is bridged too, since a faint one would be many defects.
    assert bridged == {"scratch", "edge", "ring"} | {"center"}
    assert {n for n, c in rules.items() if c.grouping == "whole"} == {
        *("lithography", "etching", "random"),
    }
    assert {n for n, c in rules.items() if c.split} == {"particle"}
    assert {n: c.min_dies for n, c in rules.items() if c.min_dies != 3} == {"lithography": 2}
    assert len({c.color for c in rules.values()}) == 8


@pytest.mark.parametrize("taxonomy", [DEFAULT_TAXONOMY, FAB])
def test_a_taxonomy_survives_json(taxonomy: Taxonomy) -> None:
    assert Taxonomy.from_dict(json.loads(json.dumps(taxonomy.to_dict()))) == taxonomy


def test_a_channel_is_found_by_name() -> None:
    assert [FAB.channel(name) for name in FAB.class_names] == [0, 1]
    with pytest.raises(ConfigError, match=r"one of the classes arc, spot, got 'edge'"):
        FAB.channel("edge")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patterns": ("Arc", "Arc")}, "unique"),
        ({"classes": (FAB.classes[0], replace(FAB.classes[0], id=2))}, "unique"),
        ({"classes": (replace(FAB.classes[0], id=2), FAB.classes[1])}, "ids 1 to 2"),
        ({"pattern_class": {"Arc": "line"}}, "line"),
        ({"pattern_class": {"Line": "arc"}}, "Line"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(FAB, **change)


@pytest.mark.parametrize(
    "data",
    [
        {"version": "1"},
        FAB.to_dict() | {"classes": [{"id": 1, "name": "arc", "colour": "red"}]},
        FAB.to_dict() | {"classes": 3},
        FAB.to_dict() | {"pattern_class": ["arc"]},
    ],
)
def test_data_of_another_shape_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="misspells"):
        Taxonomy.from_dict(data)
