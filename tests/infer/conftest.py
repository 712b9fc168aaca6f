"""Model files and wafers for the inference tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_model import build_tiny_model
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor, load_predictor

MakeWafer = Callable[..., WaferMap]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model file that takes dies and fold."""
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def predictor(tiny_model: Path) -> Predictor:
    """Return a predictor of the tiny model with one thread."""
    return load_predictor(tiny_model, threads=1)


@pytest.fixture
def make_wafer(rng: np.random.Generator) -> MakeWafer:
    """Return a builder of round wafers with random fails of a given density."""

    def build(rows: int, cols: int, density: float = 0.2, wafer_id: str = "") -> WaferMap:
        y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
        dies = np.where(np.hypot(y, x) <= 1.0, 1 + (rng.random((rows, cols)) < density), 0)
        return WaferMap(dies, wafer_id=wafer_id)

    return build
