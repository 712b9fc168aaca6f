"""The file that ships answers as the network does, and says where it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from tests.ml.conftest import ORIGIN
from tests.ml.small import CLASSES, PATTERNS, build_net, draw_dies, pooled_iou
from waferscope.domain.masks import build_masks
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ModelError
from waferscope.infer import load_predictor
from waferscope.infer.batching import canvas_shape, crop, stack
from waferscope.infer.fold import fold_rates
from waferscope.infer.model_file import OUTPUTS
from waferscope.infer.postprocess import STEPS
from waferscope.ml.graph.export import (
    Served,
    export_onnx,
    fold_batch_norms,
    neutral_metadata,
    read_metadata,
    update_metadata,
    write_metadata,
)
from waferscope.ml.model import WaferNet


@pytest.mark.parametrize(
    ("canvas", "count"),
    [((32, 32), 1), ((32, 32), 5), ((64, 96), 2), ((160, 64), 1), ((224, 224), 1)],
)
def test_the_file_answers_as_the_network(
    canvas: tuple[int, int], count: int, net: WaferNet, fp32_file: Path, rng: np.random.Generator
) -> None:
    dies = np.stack([draw_dies(rng, ["Loc"], canvas) for _ in range(count)])
    dies[0, : canvas[0] // 4] = 0
    fold = rng.random(dies.shape).astype(np.float32) * (dies > 0)
    session = ort.InferenceSession(str(fp32_file), providers=["CPUExecutionProvider"])
    found = session.run(list(OUTPUTS), {"dies": dies, "fold": fold})
    with torch.no_grad():
        expected = Served(net)(torch.from_numpy(dies), torch.from_numpy(fold))
    for name, one, other in zip(OUTPUTS, found, expected, strict=True):
        assert one.shape == tuple(other.shape), name
        assert float(np.abs(one - other.numpy()).max()) < 1e-4, name
    assert not found[0][np.broadcast_to((dies == 0)[:, None], found[0].shape)].any()


def test_a_wafer_that_fails_all_over_does_so_in_the_file(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    net = build_net()
    with torch.no_grad():
        net.pattern_head.bias[PATTERNS.index("Random")] = 9.0
    path = export_onnx(net, tmp_path / "random.onnx", ORIGIN)
    dies = np.stack([draw_dies(rng, ["Random"], (32, 64)) for _ in range(2)])
    fold = np.zeros(dies.shape, np.float32)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(["mask_probs"], {"dies": dies, "fold": fold})
    with torch.no_grad():
        expected = Served(net)(torch.from_numpy(dies), torch.from_numpy(fold))[0].numpy()
    assert float(np.abs(found - expected).max()) < 1e-4
    on = dies > 0
    others = np.delete(found, CLASSES.index("random"), axis=1).max(axis=1)
    assert (found[:, CLASSES.index("random")][on] > 0.99 * (1.0 - others[on])).all()


def test_masks_served_are_the_networks_masks(
    net: WaferNet, fp32_file: Path, wafers: list[WaferMap]
) -> None:
    served = [p.masks for p in load_predictor(fp32_file, threads=1).predict_stream(wafers)]
    own = []
    for wafer in wafers:
        canvas = canvas_shape(wafer.shape)
        fold = stack([fold_rates(wafer.dies, wafer.reticle)], canvas)
        with torch.no_grad():
            dies = torch.from_numpy(stack([wafer.dies], canvas))
            zones = Served(net)(dies, torch.from_numpy(fold))[0]
        probs = np.rint(crop(zones[0].numpy(), wafer.shape) * STEPS) / STEPS
        own.append(build_masks(probs, wafer.dies, [0.5] * 8, DEFAULT_TAXONOMY))
    assert sum(int(masks.sum()) for masks in own) > 500
    assert pooled_iou(served, own) >= 0.999


def test_batch_norms_are_gone_from_the_graph(fp32_file: Path) -> None:
    kinds = {node.op_type for node in onnx.load(str(fp32_file)).graph.node}
    assert "BatchNormalization" not in kinds
    assert {"Conv", "Resize"} <= kinds


def test_folding_changes_no_answer_and_leaves_the_network_alone(net: WaferNet) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    folded = fold_batch_norms(net)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    torch.manual_seed(0)
    dies, fold = torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8), torch.rand(2, 64, 64)
    with torch.no_grad():
        for one, other in zip(folded(dies, fold), net(dies, fold), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_predictor_reads_what_was_written(fp32_file: Path, net: WaferNet) -> None:
    info = load_predictor(fp32_file, threads=1).model
    assert info.version == ORIGIN.version
    assert info.taxonomy.class_names == CLASSES
    assert info.taxonomy.patterns == PATTERNS
    assert info.mask_thresholds == info.pattern_thresholds == (0.5,) * 8
    assert (info.temperature, info.bias) == ((1.0,) * 8, (0.0,) * 8)
    assert (info.stride, info.embedding_dim) == (4, net.config.embedding)
    assert info.inputs == ("dies", "fold")
    assert info.quantisation == "none (fp32)"
    assert (info.data_fingerprint, info.commit) == (ORIGIN.data_fingerprint, ORIGIN.commit)
    assert info.training_data == ORIGIN.training_data
    assert any("Roger Jang" in line for line in info.notices)
    assert any("MixedWM38" in line for line in info.notices)


def test_the_network_can_be_rebuilt_from_the_metadata(net: WaferNet) -> None:
    facts = neutral_metadata(net, ORIGIN)
    assert facts["network"]["depth"] == net.config.depth
    assert tuple(facts["network"]["decoder"]) == net.config.decoder


def foreign(path: Path, **properties: str) -> Path:
    """An ONNX file of something else."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [other])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, properties)
    onnx.save(model, str(path))
    return path


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path / "foreign.onnx", author="someone")
    with pytest.raises(ModelError, match="metadata property 'waferscope'"):
        read_metadata(path)
    with pytest.raises(ModelError, match="metadata property 'waferscope'"):
        load_predictor(path)


def test_updating_changes_the_entries_named_and_nothing_else(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.onnx", author="someone", waferscope='{"schema": 1, "commit": "a"}')
    before = onnx.load(str(path))
    update_metadata(path, {"commit": "b", "metrics": {"iou": 0.5}})
    after = onnx.load(str(path))
    assert read_metadata(path) == {"schema": 1, "commit": "b", "metrics": {"iou": 0.5}}
    assert after.graph == before.graph
    assert {p.key for p in after.metadata_props} == {"author", "waferscope"}
    write_metadata(after, {"schema": 2})
    assert [p.value for p in after.metadata_props] == ["someone", '{"schema": 2}']
