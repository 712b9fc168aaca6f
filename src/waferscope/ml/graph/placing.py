"""Every wafer meets the network on its own smallest canvas, wherever it lies in the batch.

A network sees the rim of its canvas and where its strides fall: the same wafer in the middle of a
larger canvas had other masks and labels. So the graph itself takes each wafer out by its bounding
box, puts it in the middle of the smallest canvas that holds it, asks the network once for all
wafers of one canvas, and puts the answers back. Where wafers lie so already nothing is moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, compose, inliner, numpy_helper

from waferscope.errors import ModelError
from waferscope.infer.batching import SIDE_STEP
from waferscope.infer.model_file import INPUT_TYPES, OUTPUTS
from waferscope.ml.graph.export import OPSET
from waferscope.ml.graph.placing_script import NETWORK, place_wafers
from waferscope.ml.model import STRIDE

PREFIX: Final = "place_"
"""What the names of all that is put around the network begin with."""


def place_each(model: ModelProto) -> ModelProto:
    """Return a model that answers for each wafer as ``model`` does on the wafer's own canvas.

    Inputs, outputs, weights and metadata are those of ``model``, whose nodes go into the body of a
    loop over canvases. Raises ModelError for a model that is not as `export_onnx` writes it.
    """
    _check(model)
    frame = _frame()
    body = _loop(frame.graph).attribute[0].g
    _put_in(body, model.graph)
    bytes_, others = _weights(model.graph)
    body.initializer.extend(others)
    placed = ModelProto()
    placed.CopyFrom(model)
    for field in ("node", "value_info", "initializer"):
        del getattr(placed.graph, field)[:]
    placed.graph.node.extend(frame.graph.node)
    placed.graph.initializer.extend([*bytes_, *_settings(model.graph)])
    onnx.checker.check_model(placed)
    return placed


def place_file(path: Path) -> Path:
    """Put `place_each` of a model file in its place; return its path."""
    onnx.save(place_each(onnx.load(str(path))), str(path))
    return path


def network_graph(model: ModelProto) -> GraphProto:
    """Return nodes and weights of the network itself, whether it is placed or not."""
    loop = _loop(model.graph)
    if loop is None:
        return model.graph
    graph, body = GraphProto(), loop.attribute[0].g
    graph.node.extend(body.node)
    graph.initializer.extend([*model.graph.initializer, *body.initializer])
    return graph


def _loop(graph: GraphProto) -> Any:
    """Return the loop around the network, None where there is none."""
    return next((n for n in graph.node if n.op_type == "Loop" and n.name.startswith(PREFIX)), None)


def _check(model: ModelProto) -> None:
    graph = model.graph
    opset = next((one.version for one in model.opset_import if not one.domain), 0)
    inputs, outputs = ({one.name for one in ends} for ends in (graph.input, graph.output))
    if _loop(graph) is not None or (inputs, outputs) != (set(INPUT_TYPES), set(OUTPUTS)):
        raise ModelError.build(
            expected=f"a network with inputs {', '.join(INPUT_TYPES)} and outputs "
            f"{', '.join(OUTPUTS)}, not placed yet",
            got=f"inputs {', '.join(sorted(inputs))}, outputs {', '.join(sorted(outputs))}"
            + (", placed" if _loop(graph) is not None else ""),
            cure="Give a file as `export_onnx` writes it.",
        )
    if opset != OPSET:
        raise ModelError.build(
            expected=f"operators of opset {OPSET}",
            got=f"opset {opset}",
            cure="Export the network again.",
        )


def _frame() -> ModelProto:
    """Return the script as a model, the same at every call: its loop carries values in order.

    onnxscript takes them as a set gives them, and numbers their names so.
    """
    script: Any = place_wafers  # onnxscript's own types stop here
    frame: ModelProto = inliner.inline_local_functions(script.to_model_proto())
    compose.add_prefix(frame, PREFIX, inplace=True)
    loop = _loop(frame.graph)
    body = loop.attribute[0].g
    order = [list(loop.output).index(one.name) for one in frame.graph.output]
    for values, kept in ((loop.input, 2), (loop.output, 0)):
        values[kept:] = [values[kept + place] for place in order]
    names = {}
    for values, kept, moment in ((body.input, 2, "before"), (body.output, 1, "after")):
        carried = [values[kept + place] for place in order]
        copies = [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in carried]
        del values[kept:]
        for copy, output in zip(copies, OUTPUTS, strict=True):
            names[copy.name] = copy.name = f"{PREFIX}{output}_{moment}"
            values.append(copy)
    names |= dict(zip(loop.output, OUTPUTS, strict=True))
    names |= {f"{PREFIX}{name}": name for name in INPUT_TYPES}
    _rename(frame.graph, names)
    return frame


def _put_in(body: GraphProto, network: GraphProto) -> None:
    """Put the nodes of a network where one node stands for it."""
    place = next(n for n, node in enumerate(body.node) if node.op_type == NETWORK)
    stand_in = body.node[place]
    inner = GraphProto()
    inner.node.extend(network.node)
    ends = zip((*INPUT_TYPES, *OUTPUTS), (*stand_in.input, *stand_in.output), strict=True)
    _rename(inner, dict(ends))
    nodes = [*body.node[:place], *inner.node, *body.node[place + 1 :]]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del body.node[:]
    body.node.extend(copies)


def _weights(network: GraphProto) -> tuple[list[TensorProto], list[TensorProto]]:
    """Return the weights in bytes, and the others.

    ONNX Runtime keeps a second copy of what lies in a loop's body, and lays out weights of float
    convolutions for its quickest kernels only where they lie beside them.
    """
    bytes_ = [one for one in network.initializer if one.data_type == TensorProto.INT8]
    others = [one for one in network.initializer if one.data_type != TensorProto.INT8]
    return bytes_, others


def _rename(graph: GraphProto, names: dict[str, str]) -> None:
    """Give values other names, in a graph and in those inside it."""
    for node in graph.node:
        for field in (node.input, node.output):
            for place, name in enumerate(field):
                field[place] = names.get(name, name)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename(attribute.g, names)


def _settings(network: GraphProto) -> list[TensorProto]:
    """Return what the script asks for besides wafers: steps of sides, stride, sizes of outputs."""
    axes = {one.name: one.type.tensor_type.shape.dim[1].dim_value for one in network.output}
    settings = {"step": SIDE_STEP, "stride": STRIDE, "sizes": [axes[name] for name in OUTPUTS[:3]]}
    return [
        numpy_helper.from_array(np.array(value, np.int64), f"{PREFIX}{name}")
        for name, value in settings.items()
    ]
