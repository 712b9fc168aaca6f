"""The stem of the encoder in int8, although it reads planes of very different size.

One scale serves all six planes of a tensor. The size of a die against the wafer's radius is 0.03
on 64 dies across and less on more: eight steps of 255 are too few for it. So it is stretched
before the stem, whose weights for it shrink as much: the answer is the same, the steps are not.
At 320 x 320 and one thread the stem took 8.7 ms in floats and takes 4.2, its pooling with it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper
from onnxruntime.quantization.calibrate import TensorData, TensorsData

from waferscope.ml.encode import PLANES

STEM: Final = "net.encoder.conv1.weight"
STRETCH: Final = 4.0
"""How much the pitch is stretched: up to 1.4, the range, on wafers of at least six dies across."""
STRETCHED: Final = "stretched_planes"
_FACTORS: Final = "stretch_of_planes"
RANGE: Final = (0.0, 255 / 180)
"""Up to the radius of a square's corner, and 1, which most dies have, is a whole step."""


def stretch_stem(graph: onnx.GraphProto) -> None:
    """Let the stem read planes of which the last is stretched, by weights that undo it."""
    stem = next((n for n in graph.node if n.op_type == "Conv" and n.input[1] == STEM), None)
    if stem is None:
        return
    factors = np.ones((1, len(PLANES), 1, 1), np.float32)
    factors[0, PLANES.index("pitch")] = STRETCH
    weight = next(one for one in graph.initializer if one.name == STEM)
    undone = numpy_helper.to_array(weight) / factors
    weight.CopyFrom(numpy_helper.from_array(undone, STEM))
    graph.initializer.append(numpy_helper.from_array(factors, _FACTORS))
    planes, stem.input[0] = stem.input[0], STRETCHED
    place = list(graph.node).index(stem)
    graph.node.insert(
        place, helper.make_node("Mul", [planes, _FACTORS], [STRETCHED], name=f"node_{STRETCHED}")
    )


def set_range(ranges: TensorsData) -> None:
    """Give the stretched planes the range that they can have, whatever was measured."""
    if STRETCHED in ranges:
        lowest, highest = (np.float32(end) for end in RANGE)
        ranges[STRETCHED] = TensorData(lowest=lowest, highest=highest)


def unstretched(
    node: NodeProto, weight: npt.NDArray[np.float32], graph: onnx.GraphProto
) -> npt.NDArray[np.float32]:
    """Return the weight that a layer of a graph has for planes as they are."""
    if not node.input[0].startswith(STRETCHED):
        return weight
    factors = next(one for one in graph.initializer if one.name == _FACTORS)
    return np.asarray(weight * numpy_helper.to_array(factors), np.float32)
