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
from waferscope.ml.export import read_metadata
from waferscope.ml.model import ModelConfig, WaferNet

PREFIX: Final = "net."
_QUANTISED: Final = "_quantized"
_CURE: Final = "Give a file written by `waferscope export`."

Feed = tuple[Tensor, Tensor]  # dies uint8 [B, H, W], fold float32 [B, H, W]


def restore_network(path: Path, feeds: Iterable[Feed]) -> WaferNet:
    """Return the network of a model file, in evaluation mode.

    ``feeds`` are batches of typical wafers on which each batch norm takes its statistics: with
    ``gamma = sqrt(variance + eps)`` and ``beta = mean + bias`` it passes its input on unchanged,
    but sees well-scaled numbers once training goes on. Raises ModelError for a file without a
    network of this package, and when ``feeds`` is empty.
    """
    facts = read_metadata(path)
    try:
        net = WaferNet(_config(facts["network"]))
        weights = dict(_weights(onnx.load(str(path)).graph))
        biases = _load(net, weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"Expected the network of a WaferScope model in {path}, got {error!r}. {_CURE}"
        ) from error
    batches = list(feeds)
    if not batches:
        raise ModelError(f"Expected typical wafers to restore {path} with, got none. Give some.")
    _renew_norms(net.eval(), biases, batches)
    return net


def _config(network: Mapping[str, Any]) -> ModelConfig:
    lists = {k: tuple(v) if isinstance(v, list) else v for k, v in network.items()}
    return ModelConfig(**lists)


def _weights(graph: onnx.GraphProto) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yield names and fp32 values of the network's parameters, dequantised per channel."""
    raw = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for name, values in raw.items():
        if not name.startswith(PREFIX):
            continue
        if not name.endswith(_QUANTISED):
            if np.issubdtype(values.dtype, np.floating) and not name.endswith("_scale"):
                yield name[len(PREFIX) :], values
            continue
        plain = name[: -len(_QUANTISED)]
        scale, zero = (_companion(raw, name, plain, kind) for kind in ("_scale", "_zero_point"))
        shape = (-1,) + (1,) * (values.ndim - 1)
        wide = values.astype(np.float64) - zero.astype(np.float64).reshape(shape)
        yield plain[len(PREFIX) :], (wide * scale.reshape(shape)).astype(np.float32)


def _companion(
    raw: Mapping[str, npt.NDArray[Any]], name: str, plain: str, kind: str
) -> npt.NDArray[Any]:
    """Return the scale or zero point of a quantised tensor, whichever way it is named."""
    return raw[name + kind] if name + kind in raw else raw[plain + kind]


def _load(net: WaferNet, weights: dict[str, npt.NDArray[np.float32]]) -> dict[nn.Module, Tensor]:
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
def _renew_norms(net: WaferNet, biases: Mapping[nn.Module, Tensor], feeds: list[Feed]) -> None:
    """Set each batch norm, in the order of the graph, from what its convolution gives it."""
    norms = dict(conv_norm_pairs(net))

    def renew(conv: nn.Module, _: object, out: Tensor) -> None:
        norm = norms[conv]  # type: ignore[index]
        variance, mean = torch.var_mean(out, dim=(0, 2, 3), correction=0)
        norm.running_mean, norm.running_var = mean, variance
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.bias.copy_(mean + biases[conv])

    hooks = [conv.register_forward_hook(renew) for conv in norms]
    dies, fold = (torch.cat(parts) for parts in zip(*feeds, strict=True))
    net(dies, fold)
    for hook in hooks:
        hook.remove()
