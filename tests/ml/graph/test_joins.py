"""What is joined has one range, and its bytes are copied: faster, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData

from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.ml.graph.joins import align_joins, join_bytes
from waferscope.ml.graph.quantise import quantise

JOINS = 6
"""Five of the decoder; one of the sketch, which else joins what the label branch reads too."""


def joins_of_bytes(graph: onnx.GraphProto) -> list[NodeProto]:
    """Return the Concat nodes that read what QuantizeLinear nodes give."""
    makers = {output: node.op_type for node in graph.node for output in node.output}
    concats = (node for node in graph.node if node.op_type == "Concat")
    return [n for n in concats if {makers.get(name) for name in n.input} == {"QuantizeLinear"}]


def rounding(scales: tuple[float, float, float]) -> onnx.GraphProto:
    """A graph that joins two rounded tensors and rounds what it gives, by these scales."""
    nodes, stored = [], [numpy_helper.from_array(np.array(0, np.uint8), "zero")]
    for name, scale in zip(("a", "b", "joined"), scales, strict=True):
        stored.append(numpy_helper.from_array(np.array(scale, np.float32), f"{name}_scale"))
        facts = [f"{name}_scale", "zero"]
        rounded = helper.make_node("QuantizeLinear", [name, *facts], [f"{name}_bytes"])
        widened = helper.make_node("DequantizeLinear", [f"{name}_bytes", *facts], [f"{name}_back"])
        nodes += [rounded, widened]
    join = helper.make_node("Concat", ["a_back", "b_back"], ["joined"], axis=1)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
        for name, width in (("a", 2), ("b", 2), ("joined_back", 4))
    ]
    return helper.make_graph([*nodes[:4], join, *nodes[4:]], "g", ends[:2], ends[2:], stored)


def test_joins_copy_bytes_of_one_range(int8_file: Path) -> None:
    graph = onnx.load(str(int8_file)).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    found = joins_of_bytes(graph)
    assert len(found) == JOINS
    for join in found:
        (reader,) = (node for node in graph.node if join.output[0] in node.input)
        assert reader.op_type == "DequantizeLinear"
        ends = [reader, *(makers[name] for name in join.input)]
        assert len({(float(stored[e.input[1]]), int(stored[e.input[2]])) for e in ends}) == 1


def test_copying_bytes_changes_no_answer(
    fp32_file: Path,
    int8_file: Path,
    wafers: list[WaferMap],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waferscope.ml.graph.quantise.join_bytes", lambda graph: None)
    looked_up = quantise(fp32_file, tmp_path / "looked_up.onnx", wafers)
    graphs = [onnx.load(str(path)).graph for path in (looked_up, int8_file)]
    assert [len(joins_of_bytes(graph)) for graph in graphs] == [0, JOINS]
    join_bytes(graphs[0])
    assert graphs[0].node == graphs[1].node
    one, other = (
        load_predictor(path, threads=1).predict(wafers) for path in (looked_up, int8_file)
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.probs, b.probs)
        assert a.patterns == b.patterns


@pytest.mark.parametrize(
    ("scales", "bytes_joined"), [((0.5, 0.5, 0.5), 1), ((0.5, 0.25, 0.5), 0), ((0.5, 0.5, 1.0), 0)]
)
def test_only_what_has_one_range_is_copied(
    scales: tuple[float, float, float], bytes_joined: int
) -> None:
    graph = rounding(scales)
    join_bytes(graph)
    assert len(joins_of_bytes(graph)) == bytes_joined
    onnx.checker.check_model(helper.make_model(graph))
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("DequantizeLinear") == 3 - 2 * bytes_joined


def test_what_others_read_too_keeps_its_range() -> None:
    """The label branch's features are joined by the sketch and read by the branch itself."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["y"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["joined"], axis=1),
        helper.make_node("Conv", ["a", "w"], ["next"]),
    ]
    for reader, shared in ((nodes[3], False), (helper.make_node("Abs", ["x"], ["next"]), True)):
        graph = helper.make_graph([*nodes[:3], reader], "g", [], [])
        highest = {"a": 1.0, "b": 5.0, "joined": 5.0}
        bounds = {n: (np.float32(0.0), np.float32(value)) for n, value in highest.items()}
        ranges = TensorsData(CalibrationMethod.MinMax, bounds)
        align_joins(graph, ranges)
        assert float(ranges["a"].highest) == (5.0 if shared else 1.0)
