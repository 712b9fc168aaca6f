"""A data folder, a model and its whole report, small and made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ml.small import write_data
from tests.tiny_model import build_tiny_model
from waferscope.ml.evaluate import Beside, evaluate
from waferscope.ml.evaluation.exam import Exam

TINY_EXAM = Exam(
    synthetic=6,
    plain=4,
    large=1,
    composed=6,
    noise=8,
    fit_synthetic=4,
    fit_plain=3,
    fit_noise=6,
    turned=4,
    moved=4,
)


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder of a few wafers."""
    return write_data(tmp_path_factory.mktemp("data"), np.random.default_rng(5))


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model file whose thresholds are not those of a neutral one."""
    changed = {"mask_thresholds": [0.4] * 8}
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", overrides=changed)


@pytest.fixture(scope="session")
def small_report(small_model: Path, small_data: Path) -> dict[str, Any]:
    """Return the report of that model on that data, compared with itself."""
    return evaluate(small_model, small_data, exam=TINY_EXAM, beside=Beside(against=small_model))
