"""What comes back from a model file computes what the file does, and can be trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from tests.ml.small import PATTERNS, draw_dies
from waferscope.errors import ModelError
from waferscope.ml.graph.export import Served, fold_batch_norms, read_metadata, write_metadata
from waferscope.ml.graph.quantise import store_halves
from waferscope.ml.graph.restore import conv_norm_pairs, network_config, restore_network
from waferscope.ml.model import WaferNet


@pytest.fixture(scope="module")
def feed() -> tuple[Tensor, Tensor]:
    """Return a wafer of each pattern, as the network takes them."""
    rng = np.random.default_rng(3)
    dies = np.stack([draw_dies(rng, [label], (64, 64)) for label in PATTERNS])
    return torch.from_numpy(dies), torch.from_numpy(rng.random(dies.shape, np.float32))


def probabilities(net: WaferNet, feed: tuple[Tensor, Tensor]) -> Tensor:
    """Return mask probabilities in evaluation mode."""
    with torch.no_grad():
        return torch.sigmoid(net.eval()(*feed).mask_logits)


def test_an_fp32_file_comes_back_as_the_network(
    net: WaferNet, fp32_file: Path, feed: tuple[Tensor, Tensor]
) -> None:
    back = restore_network(fp32_file, [feed])
    assert back.config == net.config
    assert not back.training
    other = torch.flip(feed[0], (2,)), feed[1]  # wafers that the norms were not measured on
    for batch in (feed, other):
        assert torch.allclose(probabilities(back, batch), probabilities(net, batch), atol=1e-4)


def test_an_int8_file_comes_back_within_its_rounding(
    net: WaferNet, int8_file: Path, feed: tuple[Tensor, Tensor]
) -> None:
    back = restore_network(int8_file, [feed])
    given = {"dies": feed[0].numpy(), "fold": feed[1].numpy()}
    (file,) = ort.InferenceSession(str(int8_file)).run(["mask_probs"], given)
    with torch.no_grad():
        own, restored = (Served(one)(*feed)[0] for one in (net, back))
    off, rounded = (
        (one - own).abs().mean().item() for one in (restored, torch.from_numpy(np.asarray(file)))
    )
    assert 0 < off < rounded < 0.04  # the file rounds activations too
    name = "encoder.layer1.0.conv1.weight"
    folded, weight = (dict(n.named_parameters())[name] for n in (fold_batch_norms(net), back))
    step = folded.abs().amax(dim=(1, 2, 3), keepdim=True) / 63  # 7 bits, symmetric
    assert bool(((weight - folded).abs() <= 0.51 * step).all())


def test_weights_of_16_bits_come_back_too(
    net: WaferNet, fp32_file: Path, feed: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    model = onnx.load(str(fp32_file))
    store_halves(model.graph, ("net.decoder.",))
    onnx.save(model, str(tmp_path / "halves.onnx"))
    back = restore_network(tmp_path / "halves.onnx", [feed])
    off = (probabilities(back, feed) - probabilities(net, feed)).abs()
    assert 0 < off.max().item() < 0.01


def test_norms_take_the_mean_of_batches_of_any_canvas(
    net: WaferNet, fp32_file: Path, feed: tuple[Tensor, Tensor]
) -> None:
    small = feed[0][:3, 16:48, 16:48], feed[1][:3, 16:48, 16:48]
    alone = [restore_network(fp32_file, [batch]) for batch in (feed, small)]
    back = restore_network(fp32_file, iter([feed, small]))
    for batch in (feed, small):
        assert torch.allclose(probabilities(back, batch), probabilities(net, batch), atol=1e-4)
    _, norm = next(iter(conv_norm_pairs(back)))
    others = [next(iter(conv_norm_pairs(one)))[1] for one in alone]
    for name in ("running_mean", "running_var"):
        one, other = (getattr(n, name) for n in others)
        assert not torch.allclose(one, other, rtol=0.01)
        assert torch.allclose(getattr(norm, name), (one + other) / 2, rtol=1e-4)


def test_in_training_mode_it_sees_what_it_saw(fp32_file: Path, feed: tuple[Tensor, Tensor]) -> None:
    back = restore_network(fp32_file, [feed])
    calm = probabilities(back, feed)
    for module in back.train().modules():
        if isinstance(module, nn.Dropout2d):
            module.eval()
    with torch.no_grad():
        trained = torch.sigmoid(back(*feed).mask_logits)
    assert torch.allclose(trained, calm, atol=1e-3)


def test_every_convolution_before_a_norm_is_paired(net: WaferNet) -> None:
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    paired = [norm for _, norm in conv_norm_pairs(net)]
    assert len(paired) == len(norms)
    assert {id(norm) for norm in paired} == {id(norm) for norm in norms}


def test_a_file_of_another_network_is_refused(
    fp32_file: Path, tmp_path: Path, feed: tuple[Tensor, Tensor]
) -> None:
    model = onnx.load(str(fp32_file))
    facts = read_metadata(fp32_file)
    wider = {**facts["network"], "fine": 12}
    for network in (wider, {"layers": 3}):
        write_metadata(model, {**facts, "network": network})
        onnx.save(model, str(tmp_path / "other.onnx"))
        with pytest.raises(ModelError, match=r"Expected the network of a WaferScope model"):
            restore_network(tmp_path / "other.onnx", [feed])


def test_a_file_says_what_shapes_its_network(
    net: WaferNet, fp32_file: Path, tmp_path: Path
) -> None:
    assert network_config(fp32_file) == net.config
    model, facts = onnx.load(str(fp32_file)), read_metadata(fp32_file)
    kept = {k: v for k, v in facts["network"].items() if k not in ("glance", "sketch")}
    write_metadata(model, {**facts, "network": kept})
    onnx.save(model, str(tmp_path / "first.onnx"))
    first = network_config(tmp_path / "first.onnx")
    assert (first.glance, first.sketch) == (0, ())
    write_metadata(model, {**facts, "network": None})
    onnx.save(model, str(tmp_path / "none.onnx"))
    with pytest.raises(ModelError, match="Expected the network"):
        network_config(tmp_path / "none.onnx")


def test_a_file_that_lacks_weights_is_refused(
    fp32_file: Path, tmp_path: Path, feed: tuple[Tensor, Tensor]
) -> None:
    model = onnx.load(str(fp32_file))
    kept = [i for i in model.graph.initializer if "mask_head" not in i.name]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, str(tmp_path / "less.onnx"))
    with pytest.raises(ModelError, match="mask_head"):
        restore_network(tmp_path / "less.onnx", [feed])


def test_typical_wafers_are_needed(fp32_file: Path) -> None:
    with pytest.raises(ModelError, match="typical wafers"):
        restore_network(fp32_file, [])
