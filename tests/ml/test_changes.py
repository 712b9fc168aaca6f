"""What a command line may change of a recipe, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from waferscope.errors import ConfigError
from waferscope.ml.changes import Changes, change
from waferscope.ml.config import TrainConfig
from waferscope.ml.selection import Selection

RECIPE = TrainConfig("one", steps=50, seed=3, selection=Selection(mixed=False))


def test_nothing_given_changes_nothing() -> None:
    assert change(RECIPE, Changes()) == RECIPE


def test_what_is_given_stands_in_and_the_rest_stays() -> None:
    changes = Changes(
        fraction=0.1,
        seed=0,
        steps=7,
        leave_labels=("Donut",),
        leave_combinations=("Center+Scratch", "Loc"),
        weights=Path("w.parquet"),
        start_from=Path("m.onnx"),
    )
    selection = Selection(
        fraction=0.1,
        mixed=False,
        leave_labels=("Donut",),
        leave_combinations=(("Center", "Scratch"), ("Loc",)),
        weights=Path("w.parquet"),
    )
    expected = replace(RECIPE, seed=0, steps=7, start_from=Path("m.onnx"), selection=selection)
    assert change(RECIPE, changes) == expected


@pytest.mark.parametrize("changes", [Changes(fraction=2.0), Changes(leave_combinations=("A+B",))])
def test_values_that_cannot_be_are_refused(changes: Changes) -> None:
    with pytest.raises(ConfigError):
        change(RECIPE, changes)
