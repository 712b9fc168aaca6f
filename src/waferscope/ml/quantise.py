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

import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from waferscope.domain.wafermap import WaferMap
from waferscope.infer.batching import plan_batches, stack
from waferscope.infer.fold import fold_rates
from waferscope.ml.export import read_metadata, write_metadata

QUANTISED: Final = ("Conv", "Add", "Resize", "Concat")
"""Operators that run in int8; coordinates, ``fold``, pooling and the heads stay in floats."""


@dataclass(frozen=True, slots=True)
class QuantConfig:
    """How a model is quantised: which operators, and whether weights keep 7 bits."""

    operators: tuple[str, ...] = QUANTISED
    reduce_range: bool = True


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
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared)).graph
        quantize_static(
            str(prepared),
            str(target),
            WaferFeeds(wafers),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(config.operators),
            per_channel=True,
            reduce_range=config.reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=float_nodes(graph),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
    facts: Mapping[str, Any] = read_metadata(source)
    model = onnx.load(str(target))
    bits = 7 if config.reduce_range else 8
    label = f"int8 QDQ per channel ({', '.join(config.operators)}), {bits}-bit weights"
    write_metadata(model, {**facts, "quantisation": label})
    onnx.save(model, str(target))
    return target


def float_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the nodes to leave in fp32: those that no convolution comes before.

    They are the encoding of the dies and the two convolutions that read it: radius, pitch and
    fold lose too much in 8 bits.
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
        kept.append(node.name)
    return kept
