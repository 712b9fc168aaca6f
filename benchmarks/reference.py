"""What the released model is compared with: its own network in fp32, as ONNX and in plain torch.

Both are made from the released file alone, so that a fresh clone can measure the ratios: the
network comes back from the file, and is exported again without quantisation.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from waferscope.infer import Predictor
from waferscope.infer.batching import stack
from waferscope.infer.fold import fold_rates
from waferscope.infer.model_file import ModelInfo, OpenModel
from waferscope.ml.graph.export import Origin, export_onnx, fold_batch_norms, update_metadata
from waferscope.ml.graph.restore import restore_network
from waferscope.ml.model import WaferNet
from waferscope.ml.torch_session import TorchSession
from waferscope.synth import build_wafer

CANVAS = (64, 64)
TYPICAL = 16


def network_of(info: ModelInfo) -> WaferNet:
    """Return the network of a model file, batch norms folded as in the file."""
    dies = [
        build_wafer(np.random.default_rng((64, n)), shape=CANVAS).to_wafermap(str(n)).dies
        for n in range(TYPICAL)
    ]
    feed = stack(dies, CANVAS), stack([fold_rates(one) for one in dies], CANVAS)
    net = restore_network(info.path, [(torch.from_numpy(feed[0]), torch.from_numpy(feed[1]))])
    return fold_batch_norms(net).eval()


def write_fp32(net: WaferNet, info: ModelInfo, path: Path) -> Path:
    """Write a network as an fp32 ONNX file with the thresholds of ``info``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    origin = Origin(info.version, info.architecture, info.data_fingerprint, info.commit, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notes on axis names
        export_onnx(net, path, origin)
    calibration = {"temperature": list(info.temperature), "bias": list(info.bias)}
    update_metadata(
        path,
        {
            "mask_thresholds": list(info.mask_thresholds),
            "pattern_thresholds": list(info.pattern_thresholds),
            "pattern_calibration": calibration,
        },
    )
    return path


def torch_predictor(net: WaferNet, info: ModelInfo, threads: int) -> Predictor:
    """Return a predictor that runs the network in plain torch with the thresholds of ``info``."""
    torch.set_num_threads(threads)
    facts = replace(info, quantisation="none (torch, fp32)")
    return Predictor(OpenModel(facts, TorchSession(net)))
