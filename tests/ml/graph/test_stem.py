"""The stem reads stretched planes: the same answers, finer steps, the same weights back."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.ml.graph.test_rewrite import run
from tests.ml.small import draw_dies
from waferscope.ml.encode import DieEncoding
from waferscope.ml.graph.export import fold_batch_norms
from waferscope.ml.graph.restore import restore_network
from waferscope.ml.graph.stem import RANGE, STEM, STRETCH, STRETCHED, stretch_stem
from waferscope.ml.model import WaferNet


def test_stretching_changes_no_answer(fp32_file: Path, rng: np.random.Generator) -> None:
    exported = onnx.load(str(fp32_file))
    stretched = copy.deepcopy(exported)
    stretch_stem(stretched.graph)
    onnx.checker.check_model(stretched)
    assert [n.op_type for n in stretched.graph.node].count("Mul") == 1 + [
        n.op_type for n in exported.graph.node
    ].count("Mul")
    dies = np.stack([draw_dies(rng, ["Edge-Ring"], (64, 32)) for _ in range(2)])
    feed = {"dies": dies, "fold": rng.random(dies.shape, np.float32)}
    for one, other in zip(run(exported, feed), run(stretched, feed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_every_plane_fits_the_range_and_one_is_a_whole_step() -> None:
    lowest, highest = RANGE
    steps = (1.0 - lowest) / (highest - lowest) * 255
    assert abs(steps - round(steps)) < 1e-9
    for side in (6, 7, 31, 64):  # squares, whose corners are farthest out
        dies = torch.full((1, side, side), 2, dtype=torch.uint8)
        planes = DieEncoding()(dies, torch.ones(dies.shape))[0]
        planes[-1] *= STRETCH
        assert lowest <= planes.min().item()
        assert planes.max().item() <= highest + 1e-6


def test_an_int8_stem_reads_the_range_given_and_no_float_weight_is_left(int8_file: Path) -> None:
    graph = onnx.load(str(int8_file)).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    rounding = next(n for n in graph.node if n.input[0] == STRETCHED)
    assert rounding.op_type == "QuantizeLinear"
    assert abs(float(stored[rounding.input[1]]) - RANGE[1] / 255) < 1e-7
    assert int(stored[rounding.input[2]]) == 0
    assert STEM not in stored


def test_the_stem_comes_back_for_planes_as_they_are(
    net: WaferNet, int8_file: Path, rng: np.random.Generator
) -> None:
    dies = torch.from_numpy(draw_dies(rng, ["Loc"], (64, 64)))[None]
    back = restore_network(int8_file, [(dies, torch.zeros(dies.shape))]).encoder.conv1.weight
    own = fold_batch_norms(net).encoder.conv1.weight
    factors = torch.ones(1, own.shape[1], 1, 1)
    factors[:, -1] = STRETCH
    step = (own / factors).abs().amax(dim=(1, 2, 3), keepdim=True) / 63  # 7 bits, symmetric
    assert bool(((back - own).abs() <= 0.51 * step * factors).all())


def test_a_graph_without_the_stem_stays_as_it_is() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    before = graph.SerializeToString()
    stretch_stem(graph)
    assert graph.SerializeToString() == before
