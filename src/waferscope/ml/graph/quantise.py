"""Static int8 of an exported model: QDQ, per channel, calibrated on wafers of many sizes.

Weights keep 7 bits (``reduce_range``): on processors without VNNI two products of unsigned and
signed bytes are summed in 16 bits, and full-range weights saturate there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from waferscope.domain.wafermap import WaferMap
from waferscope.infer.batching import plan_batches, stack
from waferscope.infer.fold import fold_rates
from waferscope.ml.graph.export import read_metadata, write_metadata
from waferscope.ml.graph.joins import MOVES, align_joins, join_bytes
from waferscope.ml.graph.rewrite import double_by_gathering
from waferscope.ml.graph.stem import STEM, set_range, stretch_stem

QUANTISED: Final = ("Conv", "Relu", "MaxPool", "Add", "Concat", "Transpose", "Gather")
"""Operators that run in int8; coordinates, ``fold``, averages and the heads stay in floats.

A Relu goes into the zero point of what it clips; quantised on both sides it cost a pass each.
"""


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """How a model is quantised: which operators, and whether weights keep 7 bits.

    ``halves`` are parts of the network, by the beginning of their weights' names, that stay in
    floats and whose weights are stored in 16 bits.
    """

    operators: tuple[str, ...] = QUANTISED
    reduce_range: bool = True
    halves: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the file says of itself."""
        kinds = [name for name in self.operators if name not in MOVES]
        bits = 7 if self.reduce_range else 8
        halves = f", fp16 weights in {', '.join(self.halves)}" if self.halves else ""
        return f"int8 QDQ per channel ({', '.join(kinds)}), {bits}-bit weights{halves}"


class WaferFeeds(CalibrationDataReader):  # type: ignore[misc]
    """Feeds real wafers to the calibrator, one canvas at a time."""

    def __init__(self, wafers: Sequence[WaferMap]) -> None:
        self.feeds: Iterator[dict[str, npt.NDArray[Any]]] = iter(_feeds(wafers))

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the next batch of inputs, or None at the end."""
        return next(self.feeds, None)


def _feeds(wafers: Sequence[WaferMap]) -> Iterable[dict[str, npt.NDArray[Any]]]:
    for batch in plan_batches([w.shape for w in wafers]):
        members = [wafers[i] for i in batch.indices]
        yield {
            "dies": stack([w.dies for w in members], batch.canvas),
            "fold": stack([fold_rates(w.dies, w.reticle) for w in members], batch.canvas),
        }


def quantise(
    source: Path, target: Path, wafers: Sequence[WaferMap], config: QuantConfig | None = None
) -> Path:
    """Write the int8 file of an fp32 one, its ranges measured on ``wafers``; return its path."""
    config = config or QuantConfig()
    with tempfile.TemporaryDirectory() as folder:
        rewritten, prepared = (Path(folder) / name for name in ("rewritten.onnx", "prepared.onnx"))
        doubling = double_by_gathering(onnx.load(str(source)))
        stretch_stem(doubling.graph)
        onnx.save(doubling, str(rewritten))
        quant_pre_process(str(rewritten), str(prepared), skip_symbolic_shape=True)
        ranges = measure_ranges(prepared, wafers, config)
        quantizer = _quantizer(onnx.load(str(prepared)), ranges, config)
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(target))
    facts: Mapping[str, Any] = read_metadata(source)
    model = onnx.load(str(target))
    join_bytes(model.graph)
    store_halves(model.graph, config.halves)
    write_metadata(model, {**facts, "quantisation": config.label})
    onnx.save(model, str(target))
    return target


def measure_ranges(path: Path, wafers: Sequence[WaferMap], config: QuantConfig) -> TensorsData:
    """Return the range of every tensor to quantise, averaged over batches; joins are aligned."""
    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            path,
            list(config.operators),
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"moving_average": True},
        )
        calibrator.collect_data(WaferFeeds(wafers))
        ranges = calibrator.compute_data()
    if "Concat" in config.operators:
        align_joins(onnx.load(str(path)).graph, ranges)
    set_range(ranges)
    return ranges


def _quantizer(model: onnx.ModelProto, ranges: TensorsData, config: QuantConfig) -> QDQQuantizer:
    return QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=config.reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=[
            *float_nodes(model.graph),
            *head_nodes(model.graph),
            *nodes_of(model.graph, config.halves),
        ],
        op_types_to_quantize=list(config.operators),
        extra_options={},
    )


def nodes_of(graph: onnx.GraphProto, parts: tuple[str, ...]) -> list[str]:
    """Return the nodes that read a weight of these parts of the network."""
    return [n.name for n in graph.node if any(name.startswith(parts) for name in n.input)]


def head_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the nodes that work on the logits of labels: few numbers, and far apart in size.

    In 8 bits they would be rounded to steps of 0.13.
    """
    logits: set[str] = set()
    kept = []
    for node in graph.node:
        if any(name in logits for name in node.input):
            kept.append(node.name)
            logits.update(node.output)
        elif node.op_type == "Gemm":
            logits.update(node.output)
    return kept


def store_halves(graph: onnx.GraphProto, parts: tuple[str, ...]) -> None:
    """Store the float weights of these parts in 16 bits; a session widens them when it opens."""
    widened = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or not weight.name.startswith(parts):
            continue
        name, half = weight.name, f"{weight.name}_half"
        values = numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(numpy_helper.from_array(values, half))
        widened.append(helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def float_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the nodes to leave in fp32: the encoding of the dies and what reads it alone.

    Convolutions that read it are among them: radius, pitch and density lose too much in 8 bits
    (it doubled the dies whose masks change). Not so the stem, which reads stretched planes.
    """
    makers = {output: node for node in graph.node for output in node.output}
    features: set[str] = set()
    kept = []
    for node in graph.node:  # ONNX keeps nodes in topological order
        if any(name in features for name in node.input):
            features.update(node.output)
            continue
        if node.op_type == "Conv" and node.input[0] in makers:
            features.update(node.output)
        if STEM not in node.input:
            kept.append(node.name)
    return kept
