"""A rewritten graph gives what the exported one gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.ml.small import draw_dies
from waferscope.errors import ModelError
from waferscope.infer.model_file import OUTPUTS
from waferscope.ml.graph.rewrite import double_by_gathering


@pytest.fixture(scope="module")
def exported(fp32_file: Path) -> onnx.ModelProto:
    return onnx.load(str(fp32_file))


def run(model: onnx.ModelProto, feed: dict[str, Any]) -> list[npt.NDArray[np.float32]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(one) for one in session.run(list(OUTPUTS), feed)]


def resizing(scales: list[float], mode: str) -> onnx.ModelProto:
    """A graph of one Resize."""
    node = helper.make_node("Resize", ["dies", "", "scales"], ["y"], name="grow", mode=mode)
    sizes = numpy_helper.from_array(np.array(scales, np.float32), "scales")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("dies", "y")]
    return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [sizes]))


@pytest.mark.parametrize(("count", "canvas"), [(1, (32, 32)), (3, (64, 96)), (1, (160, 32))])
def test_doubling_by_gathering_changes_no_answer(
    exported: onnx.ModelProto,
    count: int,
    canvas: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    dies = np.stack([draw_dies(rng, ["Loc"], canvas) for _ in range(count)])
    feed = {"dies": dies, "fold": rng.random(dies.shape, np.float32)}
    rewritten = double_by_gathering(exported)
    onnx.checker.check_model(rewritten)
    for one, other in zip(run(exported, feed), run(rewritten, feed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_each_doubling_is_two_gathers_channels_last(exported: onnx.ModelProto) -> None:
    graph = double_by_gathering(exported).graph
    kinds = [node.op_type for node in graph.node]
    before = [node.op_type for node in exported.graph.node]
    assert before.count("Resize") == 5
    assert "Resize" not in kinds
    for kind in ("Gather", "Transpose"):
        assert kinds.count(kind) - before.count(kind) == 2 * before.count("Resize")
    assert before.count("Gather") == 2 * 4  # those of the sketch, which has a size of its own
    stored = [one.name for one in graph.initializer]
    read = {name for node in graph.node for name in node.input}
    assert len(stored) == len(set(stored))
    assert set(stored) <= read


def test_a_graph_that_doubles_nothing_stays_as_it_is() -> None:
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("x", "y")]
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:]))
    assert double_by_gathering(model) == model


@pytest.mark.parametrize(
    ("scales", "mode"),
    [([1, 1, 3, 3], "nearest"), ([1, 1, 2, 2], "linear"), ([1, 1, 2, 1], "nearest")],
)
def test_another_resize_is_refused(scales: list[float], mode: str) -> None:
    with pytest.raises(ModelError, match=f"double rows and columns.*grow of mode {mode}"):
        double_by_gathering(resizing(scales, mode))
