"""``weigh``: what it asks for, what it says, and where the weights are."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.ml.small import PATTERNS, write_data
from waferscope.ml.confident import find_doubt
from waferscope.ml.peer import PeerConfig, single_labels


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Train nothing: every wafer is found to be a Center."""
    calls: list[tuple[object, ...]] = []

    def fake(wafers: list[object], *rest: object) -> object:
        calls.append((len(wafers), *rest))
        probs = np.full((len(wafers), 9), 0.01)
        probs[:, PATTERNS.index("Center")] = 0.92
        return find_doubt(probs, single_labels(wafers))  # type: ignore[arg-type]

    module = ModuleType("waferscope.ml.confident")
    vars(module).update(NONE="none", write_weights=fake)
    monkeypatch.setitem(sys.modules, "waferscope.ml.confident", module)
    return calls


def test_labels_are_counted_and_the_file_is_named_last(
    run: Run, asked: list[tuple[object, ...]], tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", np.random.default_rng(0))
    output, runs = tmp_path / "w.parquet", tmp_path / "runs"
    done = run("weigh", data, "-o", output, "--runs", runs, "--folds", "4", "--epochs", "2")
    assert done.code == 0
    assert asked == [(16, runs, output, 4, PeerConfig(epochs=2))]
    rows = [line.split() for line in done.out.splitlines()]
    assert ["Center", "4", "0"] in rows
    assert ["Random", "4", "4"] in rows
    assert ["none", "4", "4"] in rows
    assert done.out.rstrip().endswith("w.parquet")


def test_a_folder_without_wafers_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("weigh", tmp_path)
    assert done.code == 1
    assert "Point the recipe at the folder" in done.err
