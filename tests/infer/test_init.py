"""The face of the room: names that load on first use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import waferscope
from waferscope import infer
from waferscope.infer import fold, model_file, predictor


def test_the_names_are_those_of_the_files() -> None:
    assert infer.load_predictor is predictor.load_predictor
    assert infer.Predictor is predictor.Predictor
    assert infer.ModelInfo is model_file.ModelInfo
    assert infer.fold_rates is fold.fold_rates
    assert infer.fold_rates_batch is fold.fold_rates_batch


def test_every_name_is_listed_and_there() -> None:
    assert dir(infer) == sorted(infer.__all__)
    assert all(callable(getattr(infer, name)) for name in infer.__all__)


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(infer), "fold_rates", raising=False)
    assert infer.fold_rates is fold.fold_rates
    assert vars(infer)["fold_rates"] is fold.fold_rates


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"waferscope\.infer.*no attribute 'fold_rate'"):
        _ = infer.fold_rate


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    paths = {**os.environ, "PYTHONPATH": str(Path(waferscope.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=paths
    )
    return set(done.stdout.split())


def test_nothing_loads_before_it_is_asked_for() -> None:
    assert not loaded_after("import waferscope.infer") & {"numpy", "onnxruntime"}
    assert "onnxruntime" not in loaded_after("from waferscope.infer import fold_rates")
