"""A small ONNX file that keeps the whole model contract, so that tests need no trained model.

Five figures per die (fail density around it, that density on the rim and inside, the wafer's fail
rate, the fold input) are mixed into classes and patterns by fixed weights. Its answers are plain
arithmetic, identical on any canvas, and loosely sensible: dense fails at the rim are `edge`, dense
fails inside `particle`, field repeats `lithography`, a high fail rate `random`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy

BOX: Final = 5
FEATURES: Final = ("density", "rim", "inner", "overall", "fold")
CLASS_WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    "edge": {"rim": 1.0},
    "particle": {"inner": 1.0},
    "lithography": {"fold": 1.0},
    "random": {"overall": 1.0},
}
PATTERN_WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    "Edge-Ring": {"rim": 6.0},
    "Loc": {"inner": 6.0},
    "Random": {"overall": 1.2},
}
OTHERWISE: Final = {"density": 0.3}


def metadata(*, fold: bool = True, taxonomy: Taxonomy = DEFAULT_TAXONOMY) -> dict[str, Any]:
    """Return the JSON that the file carries in its `waferscope` property."""
    patterns = len(taxonomy.patterns)
    return {
        "schema": 1,
        "model_version": "tiny-1",
        "taxonomy": taxonomy.to_dict(),
        "mask_thresholds": [0.5] * len(taxonomy.classes),
        "pattern_thresholds": [0.5] * patterns,
        "pattern_calibration": {"temperature": [1.0] * patterns, "bias": [0.0] * patterns},
        "stride": 4,
        "embedding_dim": 8,
        "inputs": ["dies", "fold"] if fold else ["dies"],
        "architecture": "box filter",
        "quantisation": "none",
        "training_data": {"synthetic": 0},
        "data_fingerprint": "0" * 64,
        "commit": "0" * 40,
        "metrics": {"synthetic_die_iou": 0.5},
        "notices": ["Made for tests."],
    }


def build_tiny_model(
    path: Path | str,
    *,
    fold: bool = True,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    overrides: Mapping[str, Any] | None = None,
    properties: Mapping[str, str] | None = None,
) -> Path:
    """Write the model to ``path`` and return it.

    ``overrides`` replaces entries of the metadata (the graph follows `stride` and
    `embedding_dim`); ``properties`` replaces the file's metadata properties altogether, for files
    that must be refused.
    """
    facts = metadata(fold=fold, taxonomy=taxonomy) | dict(overrides or {})
    graph = _graph(taxonomy, fold, int(facts["stride"]), int(facts["embedding_dim"]))
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="tests"
    )
    chosen = {"waferscope": json.dumps(facts)} if properties is None else dict(properties)
    helper.set_model_props(model, chosen)
    onnx.checker.check_model(model)
    target = Path(path)
    target.write_bytes(model.SerializeToString())
    return target


def _weights(
    names: tuple[str, ...], table: Mapping[str, Mapping[str, float]]
) -> npt.NDArray[np.float32]:
    """Return [names, features]."""
    rows = [[table.get(n, OTHERWISE).get(f, 0.0) for f in FEATURES] for n in names]
    return np.array(rows, np.float32)


def _graph(taxonomy: Taxonomy, fold: bool, stride: int, dim: int) -> onnx.GraphProto:
    classes = _weights(taxonomy.class_names, CLASS_WEIGHTS)
    patterns = _weights(taxonomy.patterns, PATTERN_WEIGHTS)
    spread = np.random.default_rng(0).normal(size=(len(FEATURES), dim)).astype(np.float32)
    constants: dict[str, npt.NDArray[Any]] = {
        "two": np.array(2, np.uint8),
        "none": np.array(0, np.uint8),
        "channel": np.array([1], np.int64),
        "plane": np.array([2, 3], np.int64),
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
        "full": np.array(BOX * BOX - 0.5, np.float32),
        "box": np.ones((1, 1, BOX, BOX), np.float32),
        "class_weights": classes[..., None, None],
        "pattern_weights": patterns[..., None, None],
        "pattern_mix": patterns.T.copy(),
        "spread": spread,
        "drift": np.full(dim, 0.1, np.float32),
    }
    batch: list[str | int] = ["batch", "rows", "cols"]
    inputs = [helper.make_tensor_value_info("dies", TensorProto.UINT8, batch)]
    if fold:
        inputs.append(helper.make_tensor_value_info("fold", TensorProto.FLOAT, batch))
    shapes: dict[str, list[str | int]] = {
        "mask_probs": ["batch", len(classes), "rows", "cols"],
        "pattern_probs": ["batch", len(patterns)],
        "embedding": ["batch", dim],
        "evidence": ["batch", len(patterns), "cell_rows", "cell_cols"],
    }
    return helper.make_graph(
        _nodes(fold, stride),
        "tiny",
        inputs,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def _nodes(fold: bool, stride: int) -> list[NodeProto]:
    node = helper.make_node
    pads = [BOX // 2] * 4
    repeat = (
        [node("Unsqueeze", ["fold", "channel"], ["repeat"])]
        if fold
        else [node("Mul", ["fail", "zero"], ["repeat"])]
    )
    return [
        node("Unsqueeze", ["dies", "channel"], ["grid"]),
        node("Equal", ["grid", "two"], ["is_fail"]),
        node("Cast", ["is_fail"], ["fail"], to=TensorProto.FLOAT),
        node("Greater", ["grid", "none"], ["is_die"]),
        node("Cast", ["is_die"], ["wafer"], to=TensorProto.FLOAT),
        *repeat,
        # density around each die; the rim is where the box sees no die
        node("Conv", ["fail", "box"], ["near_fails"], pads=pads),
        node("Conv", ["wafer", "box"], ["near_dies"], pads=pads),
        node("Max", ["near_dies", "one"], ["near_count"]),
        node("Div", ["near_fails", "near_count"], ["density"]),
        node("Less", ["near_dies", "full"], ["is_rim"]),
        node("Cast", ["is_rim"], ["rim_mask"], to=TensorProto.FLOAT),
        node("Mul", ["density", "rim_mask"], ["rim"]),
        node("Sub", ["density", "rim"], ["inner"]),
        node("ReduceSum", ["fail", "plane"], ["all_fails"], keepdims=1),
        node("ReduceSum", ["wafer", "plane"], ["all_dies"], keepdims=1),
        node("Max", ["all_dies", "one"], ["die_count"]),
        node("Div", ["all_fails", "die_count"], ["rate"]),
        node("Mul", ["wafer", "rate"], ["overall"]),
        node("Concat", ["density", "rim", "inner", "overall", "repeat"], ["raw"], axis=1),
        node("Mul", ["raw", "wafer"], ["features"]),
        node("Conv", ["features", "class_weights"], ["mixed"]),
        node("Clip", ["mixed", "zero", "one"], ["mask_probs"]),
        # patterns: the mean over dies, mixed; evidence: the same mixture before the mean
        node("ReduceSum", ["features", "plane"], ["summed"], keepdims=0),
        node("ReduceSum", ["wafer", "plane"], ["flat_dies"], keepdims=0),
        node("Max", ["flat_dies", "one"], ["flat_count"]),
        node("Div", ["summed", "flat_count"], ["pooled"]),
        node("MatMul", ["pooled", "pattern_mix"], ["logits"]),
        node("Clip", ["logits", "zero", "one"], ["pattern_probs"]),
        node(
            "AveragePool",
            ["features"],
            ["cells"],
            kernel_shape=[stride, stride],
            strides=[stride, stride],
        ),
        node("Conv", ["cells", "pattern_weights"], ["evidence"]),
        node("MatMul", ["pooled", "spread"], ["direction"]),
        node("Add", ["direction", "drift"], ["shifted"]),
        node("LpNormalization", ["shifted"], ["embedding"], axis=1, p=2),
    ]
