"""What is read from a model file, which files are refused, and that the file is invariant."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from tests.tiny_model import build_tiny_model, metadata
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, DefectClass, Taxonomy
from waferscope.errors import InputError, ModelError
from waferscope.infer import load_predictor
from waferscope.infer.batching import crop, stack
from waferscope.infer.fold import fold_rates
from waferscope.infer.model_file import OUTPUTS, VARIABLE, find_model, open_model, read_info
from waferscope.infer.postprocess import calibrate
from waferscope.synth import build_wafer

OTHER = Taxonomy(
    version="fab-7",
    classes=(DefectClass(1, "edge", "#000000"), DefectClass(2, "stripe", "#FFFFFF")),
    patterns=("Edge-Ring", "Stripe", "Other"),
    pattern_class={"Stripe": "stripe"},
)


def test_info_says_what_the_file_carries(tiny_model: Path) -> None:
    info = open_model(tiny_model, threads=1).info
    assert (info.version, info.stride, info.embedding_dim) == ("tiny-1", 4, 8)
    assert info.taxonomy == DEFAULT_TAXONOMY
    assert info.inputs == ("dies", "fold")
    assert info.mask_thresholds == (0.5,) * 8
    assert info.metrics == {"synthetic_die_iou": 0.5}
    assert info.notices == ("Made for tests.",)
    assert info.size_bytes == tiny_model.stat().st_size
    written = json.loads(json.dumps(info.to_dict()))
    assert written["version"] == "tiny-1"
    assert Taxonomy.from_dict(written["taxonomy"]) == info.taxonomy


def test_another_taxonomy_needs_no_code(tmp_path: Path) -> None:
    path = build_tiny_model(tmp_path / "m.onnx", taxonomy=OTHER, fold=False)
    info = open_model(path, threads=1).info
    assert info.taxonomy == OTHER
    assert len(info.mask_thresholds) == 2
    assert len(info.bias) == 3
    assert info.inputs == ("dies",)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"schema": 2}, "Update waferscope"),
        ({"schema": 0}, "schema 0"),
        ({"schema": None}, "schema None"),
        ({"mask_thresholds": [0.5]}, "mask_thresholds should be 8 numbers"),
        ({"mask_thresholds": [1.5] * 8}, "mask_thresholds"),
        ({"pattern_thresholds": ["high"] * 8}, "high"),
        ({"pattern_calibration": {"temperature": [1.0] * 8}}, "bias"),
        ({"pattern_calibration": {"temperature": [0.0] * 8, "bias": [0.0] * 8}}, "temperature"),
        ({"pattern_calibration": {"temperature": [1.0] * 8, "bias": [float("nan")] * 8}}, "bias"),
        ({"inputs": ["dies"]}, "graph inputs"),
        ({"inputs": ["dies", "fold", "heat"]}, "graph inputs"),
        ({"taxonomy": {"version": "1"}}, "unusable taxonomy"),
        ({"taxonomy": OTHER.to_dict()}, "2 numbers"),
        ({"model_version": "x", "metrics": 5}, "metadata"),
    ],
)
def test_broken_metadata_is_refused_with_the_reason(
    tmp_path: Path, overrides: dict[str, Any], reason: str
) -> None:
    path = build_tiny_model(tmp_path / "m.onnx", overrides=overrides)
    with pytest.raises(ModelError, match=reason):
        open_model(path, threads=1)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, "not a WaferScope model"),
        ({"waferscope": "{"}, "JSON"),
        ({"waferscope": "[]"}, "schema None"),
        ({"other": "{}"}, "'other'"),
    ],
)
def test_foreign_properties_are_refused(
    tmp_path: Path, properties: dict[str, str], reason: str
) -> None:
    path = build_tiny_model(tmp_path / "m.onnx", properties=properties)
    with pytest.raises(ModelError, match=reason):
        open_model(path, threads=1)


def test_missing_entry_is_named() -> None:
    facts = metadata()
    del facts["stride"]
    with pytest.raises(ModelError, match="'stride'"):
        read_info(Path("m.onnx"), {"waferscope": json.dumps(facts)})


def test_stride_below_one_is_refused() -> None:
    with pytest.raises(ModelError, match="stride should be at least 1"):
        read_info(Path("m.onnx"), {"waferscope": json.dumps(metadata() | {"stride": 0})})


def test_graph_of_another_width_is_refused(tmp_path: Path) -> None:
    facts = metadata() | {"taxonomy": OTHER.to_dict(), "mask_thresholds": [0.5] * 2}
    facts |= {"pattern_thresholds": [0.5] * 3}
    facts |= {"pattern_calibration": {"temperature": [1.0] * 3, "bias": [0.0] * 3}}
    path = build_tiny_model(tmp_path / "m.onnx", properties={"waferscope": json.dumps(facts)})
    with pytest.raises(ModelError, match="mask_probs with 2 channels"):
        open_model(path, threads=1)


def test_graph_without_an_output_is_refused(tmp_path: Path) -> None:
    path = build_tiny_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    kept = [o for o in model.graph.output if o.name != "evidence"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"evidence.*no such output"):
        open_model(path, threads=1)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 50])
def test_file_that_is_not_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx"):
        open_model(path, threads=1)


def test_other_onnx_file_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [result])
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    with pytest.raises(ModelError, match="not a WaferScope model"):
        open_model(path, threads=1)


def test_model_is_found_by_argument_then_variable_then_package(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tiny_model))
    assert find_model() == tiny_model
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        find_model(tmp_path / "absent.onnx")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone.onnx"))
    with pytest.raises(ModelError, match=VARIABLE):
        find_model()
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("waferscope.infer.model_file.resources.files", lambda _: tmp_path)
    with pytest.raises(ModelError, match="packaged model"):
        find_model()


def test_model_argument_must_be_a_path() -> None:
    with pytest.raises(InputError, match="path of a model file, got int"):
        find_model(3)  # type: ignore[arg-type]


def test_unknown_provider_is_refused(tiny_model: Path) -> None:
    with pytest.raises(InputError, match="AbacusExecutionProvider"):
        open_model(tiny_model, threads=1, providers=["AbacusExecutionProvider"])
    with pytest.raises(InputError, match="got none"):
        open_model(tiny_model, threads=1, providers=[])


# Through onnxruntime alone, the wafers of several shapes on one canvas: the released file gives a
# wafer the same answer in any company and with any number of threads.
SHAPES = ((26, 26), (25, 27), (39, 37), (60, 62), (31, 30))
CANVAS = (64, 64)
MOST_FLIPPED = 0.001
"""Share of a wafer's dies that int8 may mark otherwise."""


@pytest.fixture(scope="module")
def grids() -> list[npt.NDArray[np.uint8]]:
    """Return synthetic wafers, three of each shape."""
    return [
        build_wafer(np.random.default_rng((7, *shape, n)), shape=shape).to_wafermap("w").dies
        for shape, n in itertools.product(SHAPES, range(3))
    ]


def bare_session(threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(
        str(find_model()), sess_options=options, providers=["CPUExecutionProvider"]
    )


class Answers:
    """Marked dies [C, rows, cols] and decided labels of each wafer, and how to compare them."""

    def __init__(self) -> None:
        self.info = load_predictor(threads=1).model
        self.masks: list[npt.NDArray[np.bool_]] = []
        self.labels: list[list[bool]] = []

    def add(
        self,
        model: ort.InferenceSession,
        grids: list[npt.NDArray[np.uint8]],
        canvas: tuple[int, int],
    ) -> None:
        """Ask for the wafers on one canvas, in one batch."""
        feed = {"dies": stack(grids, canvas), "fold": stack([*map(fold_rates, grids)], canvas)}
        probs, patterns, _, _ = model.run(list(OUTPUTS), feed)
        limits = np.array(self.info.mask_thresholds)[:, None, None]
        sure = calibrate(patterns, self.info.temperature, self.info.bias)
        for dies, zone, one in zip(grids, probs, sure, strict=True):
            self.masks.append((crop(zone, dies.shape) >= limits) & (dies == 2))
            self.labels.append((one >= self.info.pattern_thresholds).tolist())


def alone(grids: list[npt.NDArray[np.uint8]], threads: int = 1) -> Answers:
    """Ask for each wafer by itself."""
    answers, model = Answers(), bare_session(threads)
    for dies in grids:
        answers.add(model, [dies], CANVAS)
    return answers


def assert_same(one: Answers, other: Answers, grids: list[npt.NDArray[np.uint8]]) -> None:
    assert one.labels == other.labels
    for dies, a, b in zip(grids, one.masks, other.masks, strict=True):
        assert np.count_nonzero((a != b).any(axis=0)) <= MOST_FLIPPED * np.count_nonzero(dies)


def test_another_number_of_threads(grids: list[npt.NDArray[np.uint8]]) -> None:
    assert_same(alone(grids), alone(grids, threads=2), grids)


def test_a_larger_canvas(grids: list[npt.NDArray[np.uint8]]) -> None:
    wide = Answers()
    model = bare_session(1)
    for dies in grids:
        wide.add(model, [dies], (CANVAS[0] + 32, CANVAS[1] + 96))
    assert_same(alone(grids), wide, grids)


def test_a_mixed_batch(grids: list[npt.NDArray[np.uint8]]) -> None:
    together = Answers()
    together.add(bare_session(1), grids, CANVAS)
    assert_same(alone(grids), together, grids)
