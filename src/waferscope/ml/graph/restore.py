"""A network back from a model file: what ships can be trained on, measured and exported again.

The file holds convolutions with their batch norms folded in, in int8 or fp32. The weights come
back exactly as the graph uses them; the batch norms are made anew so that the network computes
what the file does and can go on training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from waferscope.errors import ModelError
from waferscope.ml.graph.export import read_metadata
from waferscope.ml.graph.placing import network_graph
from waferscope.ml.graph.stem import unstretched
from waferscope.ml.model import ModelConfig, WaferNet

PREFIX: Final = "net."
_WEIGHT: Final = ".weight"
_LAYERS: Final = ("Conv", "Gemm")
_CURE: Final = "Give a file written by `waferscope export`."

Floats = npt.NDArray[np.float32]
Feed = tuple[Tensor, Tensor]  # dies uint8 [B, H, W], fold float32 [B, H, W]


def restore_network(path: Path, feeds: Iterable[Feed]) -> WaferNet:
    """Return the network of a model file, in evaluation mode.

    ``feeds`` are batches of typical wafers, of all canvases, on which each batch norm takes its
    statistics (from one small batch, channels come back scaled by up to 2): with
    ``gamma = sqrt(variance + eps)`` and ``beta = mean + bias`` it passes its input on unchanged,
    but sees well-scaled numbers once training goes on. Raises ModelError for a file without a
    network of this package, and when ``feeds`` is empty.
    """
    try:
        net = WaferNet(network_config(path))
        weights = dict(_weights(network_graph(onnx.load(str(path)))))
        biases = _load(net, weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise _no_network(path, error) from error
    if not _renew_norms(net.eval(), biases, feeds):
        raise ModelError(f"Expected typical wafers to restore {path} with, got none. Give some.")
    return net


def network_config(path: Path) -> ModelConfig:
    """Return what shapes the network of a model file; raise ModelError where it does not say."""
    try:
        network: Mapping[str, Any] = read_metadata(path)["network"]
        lists: dict[str, Any] = {"glance": 0}
        lists |= {k: tuple(v) if isinstance(v, list) else v for k, v in network.items()}
        return ModelConfig(**lists)  # the first files have no label branch
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_network(path, error) from error


def _no_network(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"Expected the network of a WaferScope model in {path}, got {error!r}. {_CURE}"
    )


def _weights(graph: onnx.GraphProto) -> Iterator[tuple[str, Floats]]:
    """Yield names and fp32 values of the weights and biases of every layer of the network.

    Names of weights survive the export; a bias is found where its layer reads it, since equal
    ones may be stored once.
    """
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            values[node.output[0]] = _dequantised(*(values[name] for name in node.input))
        elif node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    for node in graph.node:
        if node.op_type not in _LAYERS or not node.input[1].startswith(PREFIX):
            continue
        weight, bias = node.input[1:3] if len(node.input) > 2 else (node.input[1], "")
        layer = weight[len(PREFIX) : weight.index(_WEIGHT)]
        yield layer + _WEIGHT, unstretched(node, values[weight].astype(np.float32), graph)
        found = values[bias] if bias else np.zeros(len(values[weight]))
        yield f"{layer}.bias", found.astype(np.float32)


def _dequantised(
    values: npt.NDArray[Any], scale: npt.NDArray[Any], zero: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return real values of quantised ones; scales and zero points lie along the first axis."""
    shape = (-1,) + (1,) * (values.ndim - 1)
    wide = values.astype(np.float64) - zero.astype(np.float64).reshape(shape)
    return np.asarray(wide * scale.astype(np.float64).reshape(shape))


def _load(net: WaferNet, weights: dict[str, Floats]) -> dict[nn.Conv2d, Tensor]:
    """Load the weights; return the folded bias of each convolution before a batch norm."""
    pairs = dict(conv_norm_pairs(net))
    names = {module: name for name, module in net.named_modules()}
    biases = {conv: torch.from_numpy(weights.pop(f"{names[conv]}.bias").copy()) for conv in pairs}
    state = {name: torch.from_numpy(values.copy()) for name, values in weights.items()}
    expected = {name for name, _ in net.named_parameters()} - {
        f"{names[norm]}.{kind}" for norm in pairs.values() for kind in ("weight", "bias")
    }
    if set(state) != expected:
        odd = sorted(set(state) ^ expected)
        raise KeyError(f"parameters that differ: {', '.join(odd[:3])} ({len(odd)} in all)")
    net.load_state_dict(state, strict=False)
    return biases


def conv_norm_pairs(net: nn.Module) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Yield each convolution with the batch norm that reads it, as the blocks are built."""
    for module in net.modules():
        children = dict(module.named_children())
        for name, child in children.items():
            after = children.get(f"bn{name[4:]}" if name.startswith("conv") else _next(name))
            if isinstance(child, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                yield child, after


def _next(name: str) -> str:
    return str(int(name) + 1) if name.isdigit() else ""


@torch.no_grad()
def _renew_norms(net: WaferNet, biases: Mapping[nn.Conv2d, Tensor], feeds: Iterable[Feed]) -> bool:
    """Set each batch norm from what its convolution gives it; return whether there was a feed.

    A batch counts as much as another, whatever its canvas.
    """
    norms = dict(conv_norm_pairs(net))
    seen: dict[nn.Conv2d, list[Tensor]] = {conv: [] for conv in norms}
    for conv, norm in norms.items():
        _pass_on(norm, torch.zeros_like(biases[conv]), torch.ones_like(biases[conv]), biases[conv])

    def measure(conv: nn.Conv2d, _: object, out: Tensor) -> None:
        seen[conv].append(torch.stack(torch.var_mean(out, dim=(0, 2, 3), correction=0)))

    hooks = [conv.register_forward_hook(measure) for conv in norms]
    for dies, fold in feeds:
        net(dies, fold)
    for hook in hooks:
        hook.remove()
    for conv, found in seen.items():
        if found:
            variance, mean = torch.stack(found).mean(dim=0)
            _pass_on(norms[conv], mean, variance, biases[conv])
    return all(seen.values())


def _pass_on(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, bias: Tensor) -> None:
    """Let a norm with these statistics add a bias and nothing else."""
    norm.running_mean, norm.running_var = mean, variance
    norm.weight.copy_(torch.sqrt(variance + norm.eps))
    norm.bias.copy_(mean + bias)
