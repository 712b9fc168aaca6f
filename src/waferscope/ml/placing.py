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
from onnx import GraphProto, ModelProto, NodeProto, compose, inliner, numpy_helper

from waferscope.infer.model_file import OUTPUTS
from waferscope.ml.placing_script import place_wafers

PREFIX: Final = "place_"
"""What the names of all that is put around the network begin with."""
SIZES: Final = {"classes": "mask_probs", "patterns": "pattern_probs", "features": "embedding"}
"""Inputs of the script that are sizes of the network, and the output whose second axis has them."""


def place_each(model: ModelProto) -> ModelProto:
    """Return a model that answers for each wafer as ``model`` does on the wafer's own canvas.

    Inputs, outputs and metadata are those of ``model``, whose nodes and weights go into the body
    of a loop over canvases.
    """
    script: Any = place_wafers  # onnxscript's own types stop here
    frame = inliner.inline_local_functions(script.to_model_proto())
    names = [one.name for one in (*frame.graph.input, *frame.graph.output)]
    compose.add_prefix(frame, PREFIX, inplace=True)
    given = ("dies", "fold", *(f"{PREFIX}{size}" for size in SIZES), *OUTPUTS)
    _rename(frame.graph, {f"{PREFIX}{n}": new for n, new in zip(names, given, strict=True)})
    body = network_graph(frame)
    _put_in(body, model.graph)
    placed = ModelProto()
    placed.CopyFrom(model)
    placed.graph.CopyFrom(frame.graph)
    for field in ("input", "output", "initializer"):
        del getattr(placed.graph, field)[:]
    placed.graph.input.extend(model.graph.input)
    placed.graph.output.extend(model.graph.output)
    placed.graph.initializer.extend(_sizes(model.graph))
    onnx.checker.check_model(placed)
    return placed


def place_file(path: Path) -> Path:
    """Do the same to a file, in its place; return its path."""
    onnx.save(place_each(onnx.load(str(path))), str(path))
    return path


def network_graph(model: ModelProto) -> GraphProto:
    """Return the graph that holds the network: the body of the loop, where there is one."""
    for node in model.graph.node:
        if node.op_type == "Loop":
            body: GraphProto = node.attribute[0].g
            return body
    return model.graph


def _put_in(body: GraphProto, network: GraphProto) -> None:
    """Put the nodes and weights of a network where one node stands for it."""
    place = next(n for n, node in enumerate(body.node) if node.op_type == "Network")
    stand_in = body.node[place]
    inner = GraphProto()
    inner.CopyFrom(network)
    outer = [one.name for one in (*network.input, *network.output)]
    _rename(inner, dict(zip(outer, (*stand_in.input, *stand_in.output), strict=True)))
    nodes = [*body.node[:place], *inner.node, *body.node[place + 1 :]]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del body.node[:]
    body.node.extend(copies)
    body.initializer.extend(inner.initializer)


def _rename(graph: GraphProto, names: dict[str, str]) -> None:
    """Give values other names, in a graph and in those inside it."""
    for node in graph.node:
        for field in (node.input, node.output):
            for place, name in enumerate(field):
                field[place] = names.get(name, name)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename(attribute.g, names)


def _sizes(network: GraphProto) -> list[onnx.TensorProto]:
    axes = {one.name: one.type.tensor_type.shape.dim[1].dim_value for one in network.output}
    return [
        numpy_helper.from_array(np.array([axes[output]], np.int64), f"{PREFIX}{size}")
        for size, output in SIZES.items()
    ]
