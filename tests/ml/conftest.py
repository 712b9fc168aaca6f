"""A tiny network and the files made of it, once per session: an export takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ml.small import build_net, draw_dies
from waferscope.domain.wafermap import WaferMap
from waferscope.ml.graph.export import Origin, export_onnx
from waferscope.ml.graph.quantise import quantise
from waferscope.ml.model import WaferNet
from waferscope.ml.truth import synthetic

ORIGIN = Origin(
    version="tiny-net",
    architecture="ResNet-18 U-Net",
    data_fingerprint="f" * 64,
    commit="c" * 40,
    training_data={"recipe": "none", "steps": 0, "seed": 0},
)


@pytest.fixture(scope="session")
def net() -> WaferNet:
    """Return a network with random weights, in evaluation mode."""
    return build_net()


@pytest.fixture(scope="session")
def wafers() -> list[WaferMap]:
    """Return wafers of three canvases: synthetic ones, and two drawn by hand."""
    rng = np.random.default_rng(1)
    drawn = [WaferMap(draw_dies(rng, ["Donut"], shape)) for shape in ((27, 25), (40, 70))]
    return [truth.wafer for truth in synthetic(3, 4) if truth.wafer.dies.size < 10_000] + drawn


@pytest.fixture(scope="session")
def fp32_file(net: WaferNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the network as an fp32 ONNX file."""
    return export_onnx(net, tmp_path_factory.mktemp("export") / "fp32.onnx", ORIGIN)


@pytest.fixture(scope="session")
def int8_file(fp32_file: Path, wafers: list[WaferMap]) -> Path:
    """Return the same network as an int8 file."""
    return quantise(fp32_file, fp32_file.with_name("int8.onnx"), wafers)
