"""What is read from a model file, and which files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests.tiny_model import build_tiny_model, metadata
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, DefectClass, Taxonomy
from waferscope.errors import InputError, ModelError
from waferscope.infer.model_file import VARIABLE, find_model, open_model, read_info

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
