"""What `waferscope.ml.graph.placing` puts around the network, in the language of onnxscript.

The functions here are read by onnxscript and become ONNX nodes; Python never runs them. Sizes and
places are int64 scalars or lists of one per wafer.

Shapes: B batch, H and W the canvas given, C classes, P patterns, d embedding; n of the wafers have
an own canvas of h x w dies.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from onnx import numpy_helper
from onnxscript import BOOL, FLOAT, INT64, UINT8, script
from onnxscript import opset20 as op
from onnxscript.values import Opset

HOUSE: Final = Opset("waferscope", 1)
"""Domain of the one node that stands for the network until it is put in."""
NETWORK: Final = "Network"
"""The operator of that node."""
NOTHING: Final = numpy_helper.from_array(np.zeros(1, np.float32))


@script(default_opset=op)
def extent(on: FLOAT):
    """Return the first place and the length of what is not 0 in rows of ``on`` [B, N], [B] each."""
    first = op.ArgMax(on, axis=1, keepdims=0)
    last = op.ArgMax(on, axis=1, keepdims=0, select_last_index=1)
    return first, last - first + op.Constant(value_int=1)


@script(default_opset=op)
def spread(values: FLOAT, down: INT64, across: INT64):
    """Return [n, C, H, W] of ``values`` [n, C, h, w]: rows ``down`` [n, H], columns ``across``.

    Where there is no such row or column, 0.
    """
    h = op.Shape(values, start=2, end=3)
    w = op.Shape(values, start=3, end=4)
    y = op.Unsqueeze(down, op.Constant(value_ints=[1, 3]))
    x = op.Unsqueeze(across, op.Constant(value_ints=[1, 2]))
    none = op.Constant(value_ints=[0])
    inside = op.And(
        op.And(op.GreaterOrEqual(y, none), op.Less(y, h)),
        op.And(op.GreaterOrEqual(x, none), op.Less(x, w)),
    )
    planes = op.Shape(values, start=0, end=2)
    count = op.ReduceProd(planes, keepdims=1)
    numbers = op.Range(op.Constant(value_int=0), op.Squeeze(count), op.Constant(value_int=1))
    plane = op.Reshape(numbers, op.Concat(planes, op.Constant(value_ints=[1, 1]), axis=0))
    at = op.Where(inside, (plane * h + y) * w + x, count * h * w)
    flat = op.Reshape(values, op.Constant(value_ints=[-1]))
    return op.Gather(op.Concat(flat, op.Constant(value=NOTHING), axis=0), at)


@script(default_opset=op)
def take(planes: FLOAT, down: INT64, across: INT64, size: INT64, still: BOOL):
    """Return ``planes`` [n, C, h, w] from row ``down`` and column ``across`` [n, 1] on.

    ``size`` is h and w; nothing is moved where all are ``still``.
    """
    zero = op.Constant(value_int=0)
    one = op.Constant(value_int=1)
    if still:
        own = op.Identity(planes)
    else:
        y = down + op.Range(zero, op.Gather(size, zero), one)
        x = across + op.Range(zero, op.Gather(size, one), one)
        own = spread(planes, y, x)
    return own


@script(default_opset=op)
def put_back(values: FLOAT, down: INT64, across: INT64, size: INT64, k: INT64, still: BOOL):
    """Return ``values`` of cells of k x k dies on a canvas of ``size``, H and W.

    Each cell has the value of the one that its middle die has lain in.
    """
    zero = op.Constant(value_int=0)
    one = op.Constant(value_int=1)
    half = k / op.Constant(value_int=2)
    if still:
        given = op.Identity(values)
    else:
        # Division rounds towards 0: places before the own canvas are moved out of its first cell.
        cells = size / k
        y = op.Range(zero, op.Gather(cells, zero), one) * k + half - down
        x = op.Range(zero, op.Gather(cells, one), one) * k + half - across
        y = op.Where(op.Less(y, zero), y - k, y)
        x = op.Where(op.Less(x, zero), x - k, x)
        given = spread(values, y / k, x / k)
    return given


@script(default_opset=op)
def place_wafers(dies: UINT8, fold: FLOAT, step: INT64, stride: INT64, sizes: INT64):
    """Return mask_probs, pattern_probs, embedding and evidence of wafers anywhere on a canvas.

    Sides of own canvases are multiples of ``step``; ``stride`` is k, ``sizes`` are C, P and d.
    """
    zero = op.Constant(value_int=0)
    one = op.Constant(value_int=1)
    two = op.Constant(value_int=2)
    far = op.Constant(value_int=65536)
    along = op.Constant(value_ints=[0])
    side = op.Constant(value_ints=[1])
    classes, patterns, features = op.Split(sizes, num_outputs=3, axis=0)
    batch = op.Shape(dies, start=0, end=1)
    given = op.Shape(dies, start=1)
    on = op.Sign(op.Cast(dies, to=1))
    top, height = extent(op.ReduceMax(on, op.Constant(value_ints=[2]), keepdims=0))
    left, width = extent(op.ReduceMax(on, side, keepdims=0))
    own = (height + step - one) / step * step * far + (width + step - one) / step * step
    canvases, _first, canvas_of, _count = op.Unique(own, sorted=1)
    planes = op.Concat(op.Unsqueeze(op.Cast(dies, to=1), side), op.Unsqueeze(fold, side), axis=1)
    masks = op.ConstantOfShape(op.Concat(batch, classes, given, axis=0))
    labels = op.ConstantOfShape(op.Concat(batch, patterns, axis=0))
    embedding = op.ConstantOfShape(op.Concat(batch, features, axis=0))
    evidence = op.ConstantOfShape(op.Concat(batch, patterns, given / stride, axis=0))
    for index in range(op.Size(canvases)):
        canvas = op.Gather(canvases, index)
        h = canvas / far
        w = op.Mod(canvas, far)
        members = op.Squeeze(op.NonZero(op.Equal(canvas_of, index)), along)
        from_top = op.Gather(top, members) - (h - op.Gather(height, members)) / two
        from_left = op.Gather(left, members) - (w - op.Gather(width, members)) / two
        moved = op.ReduceMax(op.Abs(from_top) + op.Abs(from_left), keepdims=0)
        size = op.Concat(op.Unsqueeze(h, along), op.Unsqueeze(w, along), axis=0)
        other = op.ReduceMax(op.Abs(size - given), keepdims=0)
        still = op.Equal(moved + other, zero)
        down = op.Unsqueeze(from_top, side)
        across = op.Unsqueeze(from_left, side)
        taken = take(op.Gather(planes, members), down, across, size, still)
        own_masks, own_labels, own_embedding, own_evidence = HOUSE.Network(
            op.Cast(op.Gather(taken, zero, axis=1), to=2), op.Gather(taken, one, axis=1)
        )
        at = op.Unsqueeze(members, side)
        full_masks = put_back(own_masks, down, across, given, one, still)
        full_evidence = put_back(own_evidence, down, across, given, stride, still)
        masks = op.ScatterND(masks, at, full_masks)
        labels = op.ScatterND(labels, at, own_labels)
        embedding = op.ScatterND(embedding, at, own_embedding)
        evidence = op.ScatterND(evidence, at, full_evidence)
    return masks, labels, embedding, evidence
