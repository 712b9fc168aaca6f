"""From a checkpoint to the one file that ships: ONNX with its metadata, fp32 then int8."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from torch import Tensor, nn

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.errors import ModelError
from waferscope.infer.model_file import OUTPUTS, PROPERTY, SCHEMA
from waferscope.ml.encoder import BasicBlock, Bottleneck, ResNetEncoder
from waferscope.ml.model import STRIDE, WaferNet
from waferscope.ml.presence import Presence

OPSET: Final = 20
NOTICES: Final = (
    "Trained on WM-811K: Copyright 2015 Jyh-Shing Roger Jang; M.-J. Wu, J.-S. R. Jang, J.-L. Chen, "
    "IEEE Trans. Semiconductor Manufacturing 28(1), 2015, doi 10.1109/TSM.2014.2364237; "
    "MIR-WM811K, 2015, mirlab.org.",
    "Trained on MixedWM38: J. Wang et al., IEEE Trans. Semiconductor Manufacturing 33(4), 2020, "
    "doi 10.1109/TSM.2020.3020985.",
    "Splits of both derive from faris-k/self-supervised-wafermaps (MIT).",
)


class Served(nn.Module):
    """The graph that ships: probabilities instead of logits, in the order of the contract.

    Where the network has a label branch, its masks listen to it.
    """

    def __init__(self, net: WaferNet, taxonomy: Taxonomy = DEFAULT_TAXONOMY) -> None:
        super().__init__()
        self.net = net
        self.presence = None if net.glance is None else Presence(taxonomy)

    def forward(self, dies: Tensor, fold: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return mask_probs, pattern_probs, embedding and evidence; 0 off the wafer."""
        out = self.net(dies, fold)
        zones = torch.sigmoid(out.mask_logits)
        if self.presence is not None:
            zones = self.presence(zones, out.pattern_logits)
        return (
            zones * (dies > 0).unsqueeze(1).to(fold.dtype),
            torch.sigmoid(out.pattern_logits),
            out.embedding,
            out.evidence,
        )


@dataclass(frozen=True)
class Origin:
    """Where a model comes from; goes into its metadata."""

    version: str
    architecture: str
    data_fingerprint: str
    commit: str
    training_data: Mapping[str, Any]


def export_onnx(net: WaferNet, path: Path, origin: Origin) -> Path:
    """Write an fp32 ONNX file with dynamic batch and canvas, and neutral calibration.

    Batch norms are folded into their convolutions first. Raises ModelError when the written file
    is not a valid graph.
    """
    served = Served(fold_batch_norms(net)).eval()
    # Two wafers and a canvas of unequal sides, so that no axis is taken for a constant.
    example = (torch.ones(2, 64, 96, dtype=torch.uint8), torch.zeros(2, 64, 96))
    batch = torch.export.Dim("batch", min=1, max=4096)
    rows = 32 * torch.export.Dim("row_blocks", min=1, max=128)
    cols = 32 * torch.export.Dim("col_blocks", min=1, max=128)
    axes = {0: batch, 1: rows, 2: cols}
    program = torch.onnx.export(
        served,
        example,
        dynamo=True,
        input_names=["dies", "fold"],
        output_names=list(OUTPUTS),
        dynamic_shapes={"dies": axes, "fold": axes},
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ModelError("Expected an ONNX program, got none. Check the exporter's log above.")
    program.save(str(path), external_data=False)
    model = onnx.load(str(path))
    write_metadata(model, neutral_metadata(net, origin))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def neutral_metadata(
    net: WaferNet, origin: Origin, taxonomy: Taxonomy = DEFAULT_TAXONOMY
) -> dict[str, Any]:
    """Return the metadata of an uncalibrated fp32 file: thresholds 0.5, temperatures 1."""
    patterns = len(taxonomy.patterns)
    return {
        "schema": SCHEMA,
        "model_version": origin.version,
        "taxonomy": taxonomy.to_dict(),
        "mask_thresholds": [0.5] * len(taxonomy.classes),
        "pattern_thresholds": [0.5] * patterns,
        "pattern_calibration": {"temperature": [1.0] * patterns, "bias": [0.0] * patterns},
        "stride": STRIDE,
        "embedding_dim": net.config.embedding,
        "inputs": ["dies", "fold"],
        "architecture": origin.architecture,
        "network": asdict(net.config),
        "quantisation": "none (fp32)",
        "training_data": dict(origin.training_data),
        "data_fingerprint": origin.data_fingerprint,
        "commit": origin.commit,
        "metrics": {},
        "notices": list(NOTICES),
    }


def write_metadata(model: onnx.ModelProto, facts: Mapping[str, Any]) -> None:
    """Put the contract's JSON into a loaded ONNX model, replacing what was there."""
    kept = [(p.key, p.value) for p in model.metadata_props if p.key != PROPERTY]
    del model.metadata_props[:]
    for key, value in (*kept, (PROPERTY, json.dumps(facts, sort_keys=True))):
        model.metadata_props.add(key=key, value=value)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the contract's JSON of a file; raise ModelError where there is none."""
    for prop in onnx.load(str(path)).metadata_props:
        if prop.key == PROPERTY:
            facts: dict[str, Any] = json.loads(prop.value)
            return facts
    raise ModelError(
        f"Expected the metadata property {PROPERTY!r} in {path}, got none. Export the model again."
    )


def update_metadata(path: Path, changes: Mapping[str, Any]) -> None:
    """Rewrite entries of a file's metadata in place."""
    model = onnx.load(str(path))
    write_metadata(model, {**read_metadata(path), **changes})
    onnx.save(model, str(path))


def fold_batch_norms(net: WaferNet) -> WaferNet:
    """Return a copy in which every convolution has taken in the batch norm behind it."""
    copied: WaferNet = copy.deepcopy(net).eval()
    copied.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in list(copied.modules()):
        if isinstance(module, BasicBlock | Bottleneck):
            pairs: Sequence[tuple[str, str]] = [(f"conv{i}", f"bn{i}") for i in (1, 2, 3)]
        elif isinstance(module, ResNetEncoder):
            pairs = [("conv1", "bn1")]
        elif isinstance(module, nn.Sequential):
            pairs = [("0", "1")]
        else:
            continue
        for conv_name, norm_name in pairs:
            conv, norm = getattr(module, conv_name, None), getattr(module, norm_name, None)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                fused = torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
                setattr(module, conv_name, fused)
                setattr(module, norm_name, nn.Identity())
    return copied
