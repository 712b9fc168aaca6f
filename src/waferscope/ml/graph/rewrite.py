"""Rewrites of an exported graph that keep its answers and suit int8 kernels on a CPU.

Doubling. ONNX Runtime doubles an image (Resize, nearest) die by die on one thread. In the layout
of its int8 convolutions, channels last, doubling is copying rows and columns: two Gather nodes.
The Transpose nodes around them cancel against those that the runtime puts around its convolutions.
At 320 x 320 with 2 threads: 6.0 ms for the five Resize nodes, 0.6 for what stands in their place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from waferscope.errors import ModelError

CANVAS: Final = {"rows": 1, "cols": 2}
"""Axes of the input `dies` that are the sides of the canvas."""
TO_LAST: Final = (0, 2, 3, 1)
TO_FIRST: Final = (0, 3, 1, 2)
_NUMBERS: Final = "whole_{}"


def double_by_gathering(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which Gather nodes double what the decoder's Resize nodes doubled.

    The last Resize gives the full canvas, the one before half of it, and so on. Raises ModelError
    for a Resize that is no doubling by nearest.
    """
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    graph = rewritten.graph
    resizes = [node for node in graph.node if node.op_type == "Resize"]
    if not resizes:
        return rewritten
    _check_doubling(graph, resizes)
    strides = {node.name: 2**n for n, node in enumerate(reversed(resizes))}
    nodes = list(_canvas_sides())
    for node in graph.node:
        nodes += _doubled(node, strides[node.name]) if node.name in strides else [node]
    _replace(graph, nodes, sorted({0, 1, 2, *strides.values()}))
    return rewritten


def _check_doubling(graph: onnx.GraphProto, resizes: list[NodeProto]) -> None:
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in resizes:
        scales = stored.get(node.input[2]) if len(node.input) == 3 else None
        mode = next((a.s.decode() for a in node.attribute if a.name == "mode"), "nearest")
        if scales is None or scales.tolist() != [1, 1, 2, 2] or mode != "nearest":
            raise ModelError.build(
                expected="Resize nodes that double rows and columns by nearest",
                got=f"{node.name} of mode {mode} with scales {scales}",
                cure="Export the network with `waferscope export`.",
            )


def _canvas_sides() -> Iterator[NodeProto]:
    """Yield the nodes that give the canvas's sides as scalars ``canvas_rows``, ``canvas_cols``."""
    for side, axis in CANVAS.items():
        yield _node("Shape", ["dies"], f"canvas_{side}_list", start=axis, end=axis + 1)
        yield _node("Squeeze", [f"canvas_{side}_list"], f"canvas_{side}")


def _doubled(resize: NodeProto, stride: int) -> Iterator[NodeProto]:
    """Yield what stands in for a Resize whose output has ``stride`` dies to a cell."""
    name = f"double_to_{stride}"
    yield _node("Transpose", [resize.input[0]], f"{name}_last", perm=TO_LAST)
    taken = f"{name}_last"
    for axis, side in enumerate(CANVAS, start=1):
        count, cells, picks = (f"{name}_{side}_{part}" for part in ("count", "cells", "picks"))
        yield _node("Div", [f"canvas_{side}", _NUMBERS.format(stride)], count)
        yield _node("Range", [_NUMBERS.format(0), count, _NUMBERS.format(1)], cells)
        yield _node("Div", [cells, _NUMBERS.format(2)], picks)
        yield _node("Gather", [taken, picks], f"{name}_{side}", axis=axis)
        taken = f"{name}_{side}"
    yield _node("Transpose", [taken], resize.output[0], perm=TO_FIRST)


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs, [output], name=f"node_{output}", **attributes)


def _replace(graph: onnx.GraphProto, nodes: list[NodeProto], numbers: list[int]) -> None:
    """Set the nodes of a graph, add whole numbers as constants, drop what is stored in vain."""
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    whole = [numpy_helper.from_array(np.array(n, np.int64), _NUMBERS.format(n)) for n in numbers]
    for field, values in ((graph.node, nodes), (graph.initializer, kept + whole)):
        copies = [type(one).FromString(one.SerializeToString()) for one in values]
        del field[:]
        field.extend(copies)
