"""The int8 file: what stays in floats, weights that cannot saturate, the same contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper

from tests.ml.small import pooled_iou
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.infer.batching import canvas_shape
from waferscope.infer.model_file import find_model
from waferscope.ml.graph.export import read_metadata
from waferscope.ml.graph.placing import network_graph
from waferscope.ml.graph.quantise import (
    QuantConfig,
    WaferFeeds,
    float_nodes,
    quantise,
)

INT16_MOST = 2**15 - 1
UINT8_MOST = 2**8 - 1


@pytest.fixture(scope="module")
def graph(int8_file: Path) -> onnx.GraphProto:
    return onnx.load(str(int8_file)).graph


def makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in graph.node for output in node.output}


def before(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """All nodes that a node depends on."""
    made, seen, queue = makers(graph), {}, list(node.input)
    while queue:
        found = made.get(queue.pop())
        if found is not None and found.output[0] not in seen:
            seen[found.output[0]] = found
            queue += found.input
    return list(seen.values())


def is_int8(graph: onnx.GraphProto, conv: onnx.NodeProto) -> bool:
    made = makers(graph)
    kinds = [made[name].op_type if name in made else "stored" for name in conv.input[:2]]
    assert len(set(kinds)) <= 2
    return kinds == ["DequantizeLinear"] * 2


def test_the_encoding_and_what_reads_it_stay_in_floats_but_for_the_stem(
    graph: onnx.GraphProto,
) -> None:
    convs = [node for node in graph.node if node.op_type == "Conv"]
    floats = [conv for conv in convs if not is_int8(graph, conv)]
    assert len(floats) == 3
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for conv in floats:
        earlier = {node.op_type for node in before(graph, conv)}
        assert not earlier & {"Conv", "QuantizeLinear", "DequantizeLinear"}
        weight = stored[conv.input[1]]
        assert weight.dtype == np.float32
    # The thin skip reads the planes; the stem of the label branch and the sketch its thumbnail.
    shapes = sorted(stored[c.input[1]].shape[1:] for c in floats)
    assert shapes == [(4, 7, 7), (5, 3, 3), (6, 3, 3)]
    assert len(convs) > 25


def test_what_labels_are_told_by_stays_in_floats(graph: onnx.GraphProto) -> None:
    heads = [node for node in graph.node if node.op_type == "Gemm"]
    assert len(heads) == 2  # of the decoder and of the label branch
    made, given = makers(graph), {head.output[0] for head in heads}
    sums = [node for node in graph.node if given & {n.output[0] for n in before(graph, node)}]
    assert {"Add", "Sigmoid"} <= {node.op_type for node in sums}
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in sums}
    assert made["pattern_probs"] in sums


def test_float_nodes_are_those_that_no_convolution_comes_before(fp32_file: Path) -> None:
    graph = onnx.load(str(fp32_file)).graph
    named = set(float_nodes(graph))
    assert all(node.name for node in graph.node)
    expected = set()
    for node in graph.node:
        first = not any(one.op_type == "Conv" for one in before(graph, node))
        if first and "net.encoder.conv1.weight" not in node.input:
            expected.add(node.name)
    assert named == expected


def rounded_on_both_sides(graph: onnx.GraphProto) -> set[str]:
    """The operators that read rounded values alone, and whose answer is rounded."""
    made = makers(graph)
    rounded = {n.input[0] for n in graph.node if n.op_type == "QuantizeLinear"}
    return {
        node.op_type
        for node in graph.node
        if node.output[0] in rounded
        and {made[name].op_type for name in node.input if name in made} == {"DequantizeLinear"}
    }


def int8_weights(graph: onnx.GraphProto) -> list[npt.NDArray[np.int8]]:
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    made = makers(graph)
    convs = [n for n in graph.node if n.op_type == "Conv" and is_int8(graph, n)]
    return [stored[made[conv.input[1]].input[0]] for conv in convs]


@pytest.fixture(params=["tiny", "released"])
def shipped(request: pytest.FixtureRequest, int8_file: Path) -> onnx.GraphProto:
    """The graph of a tiny model, and that of the released one."""
    path = int8_file if request.param == "tiny" else find_model()
    return network_graph(onnx.load(str(path)))


def test_two_products_never_leave_16_bits(shipped: onnx.GraphProto) -> None:
    """The worst case of processors without VNNI: 255 * w1 + 255 * w2, in every output channel.

    Whichever two weights a kernel pairs, and whatever bytes it meets, no sum saturates: so the
    answers are those of processors that add up in 32 bits.
    """
    weights = int8_weights(shipped)
    assert len(weights) > 25
    for weight in weights:
        assert weight.dtype == np.int8
        assert -64 <= int(weight.min()) <= int(weight.max()) <= 64
        flat = np.sort(np.abs(weight.astype(np.int64).reshape(len(weight), -1)), axis=1)
        assert int((flat[:, -2:].sum(axis=1) * UINT8_MOST).max()) <= INT16_MOST
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) == 64
    assert UINT8_MOST * 2 * 127 > INT16_MOST  # what full-range weights would do


def test_activations_are_unsigned_bytes(shipped: onnx.GraphProto) -> None:
    stored = {t.name: numpy_helper.to_array(t) for t in shipped.initializer}
    zeros = [stored[n.input[2]] for n in shipped.node if n.op_type == "QuantizeLinear"]
    assert len(zeros) > 25
    assert {str(zero.dtype) for zero in zeros} == {"uint8"}


def test_scales_are_per_channel(graph: onnx.GraphProto) -> None:
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    made = makers(graph)
    for conv in (n for n in graph.node if n.op_type == "Conv" and is_int8(graph, n)):
        dequantised = made[conv.input[1]]
        assert stored[dequantised.input[1]].shape == (len(stored[dequantised.input[0]]),)


def test_the_file_keeps_the_contract_and_says_what_it_is(fp32_file: Path, int8_file: Path) -> None:
    info = load_predictor(int8_file, threads=1).model
    kinds = "Conv, Relu, MaxPool, Add, Concat"
    assert info.quantisation == f"int8 QDQ per channel ({kinds}), 7-bit weights"
    one, other = read_metadata(fp32_file), read_metadata(int8_file)
    assert {k: v for k, v in one.items() if k != "quantisation"} == {
        k: v for k, v in other.items() if k != "quantisation"
    }
    assert int8_file.stat().st_size < 0.35 * fp32_file.stat().st_size


def test_answers_are_those_of_the_fp32_file_but_for_rounding(
    fp32_file: Path, int8_file: Path, wafers: list[WaferMap]
) -> None:
    one, other = (
        load_predictor(path, threads=1).predict(wafers) for path in (fp32_file, int8_file)
    )
    on = [wafer.dies > 0 for wafer in wafers]
    exact, rounded = (
        np.concatenate([p.probs[:, dies].ravel() for p, dies in zip(side, on, strict=True)])
        for side in (one, other)
    )
    assert float(np.corrcoef(exact, rounded)[0, 1]) > 0.9
    alike = [float(a.embedding @ b.embedding) for a, b in zip(one, other, strict=True)]
    assert min(alike) > 0.9
    assert pooled_iou([p.masks for p in one], [p.masks for p in other]) > 0.75


def test_feeds_hold_every_wafer_once(wafers: list[WaferMap]) -> None:
    feeds = WaferFeeds(wafers)
    seen = []
    while (feed := feeds.get_next()) is not None:
        assert feed["dies"].shape == feed["fold"].shape
        assert [str(feed[name].dtype) for name in ("dies", "fold")] == ["uint8", "float32"]
        seen += [(*feed["dies"].shape[1:], int((dies == 2).sum())) for dies in feed["dies"]]
    assert sorted(seen) == sorted((*canvas_shape(w.shape), w.fail_count) for w in wafers)


def test_a_gentler_file_quantises_convolutions_alone_and_says_so(
    fp32_file: Path, graph: onnx.GraphProto, wafers: list[WaferMap], tmp_path: Path
) -> None:
    config = QuantConfig(operators=("Conv",), reduce_range=False)
    path = quantise(fp32_file, tmp_path / "gentle.onnx", wafers[-1:], config)
    facts = read_metadata(path)
    assert facts["quantisation"] == "int8 QDQ per channel (Conv), 8-bit weights"
    gentle = onnx.load(str(path)).graph
    assert max(int(np.abs(w.astype(int)).max()) for w in int8_weights(gentle)) == 127
    assert {"Conv", "Add"} <= rounded_on_both_sides(graph)
    assert "Conv" in rounded_on_both_sides(gentle)
    assert "Add" not in rounded_on_both_sides(gentle)


def test_the_gentlest_file_keeps_the_decoder_in_floats_of_16_bits(
    fp32_file: Path, wafers: list[WaferMap], tmp_path: Path
) -> None:
    parts = ("net.decoder.", "net.mask_head.")
    config = QuantConfig(operators=("Conv",), halves=parts)
    path = quantise(fp32_file, tmp_path / "gentlest.onnx", wafers[-1:], config)
    assert read_metadata(path)["quantisation"].endswith(
        "fp16 weights in net.decoder., net.mask_head."
    )
    stored = onnx.load(str(path)).graph
    kinds = {
        (w.name.startswith(parts), onnx.TensorProto.DataType.Name(w.data_type))
        for w in stored.initializer
        if w.name.startswith("net.") and len(w.dims) == 4
    }
    assert (True, "FLOAT16") in kinds
    assert (True, "INT8") not in kinds
    assert (True, "FLOAT") not in kinds
    assert (False, "INT8") in kinds
    plain = quantise(fp32_file, tmp_path / "plain.onnx", wafers[-1:], replace(config, halves=()))
    whole, gentle, rough = (
        np.concatenate([p.probs.ravel() for p in load_predictor(file, threads=1).predict(wafers)])
        for file in (fp32_file, path, plain)
    )
    assert 0 < np.abs(gentle - whole).mean() < np.abs(rough - whole).mean()


def test_masks_are_not_rounded_after_their_heads(graph: onnx.GraphProto) -> None:
    """What the sketch says is rounded once; it is spread and meets the decoder in floats."""
    (sketched,) = (
        node
        for node in graph.node
        if node.op_type == "Conv" and any("sketch.head.weight" in name for name in node.input)
    )
    kinds, reached = [], {sketched.output[0]}
    for node in graph.node:
        if any(name in reached for name in node.input) and node.op_type != "Sigmoid":
            kinds.append(node.op_type)
            reached.update(node.output)
    assert {"MatMul", "Sub", "Mul"} <= set(kinds)
    assert not {"Add", "Where"} & set(kinds)
    assert kinds.count("QuantizeLinear") == 1
