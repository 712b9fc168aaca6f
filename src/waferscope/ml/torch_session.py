"""A network in the place of a model file: the ordinary predictor, without exporting anything.

What holds of files (batches by canvas, folding, cropping, thresholds) then holds of a network in
training as well, and one measurement serves both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from waferscope.infer.model_file import OUTPUTS, PROPERTY, OpenModel, read_info
from waferscope.infer.predictor import Predictor
from waferscope.ml.graph.export import Origin, Served, neutral_metadata
from waferscope.ml.model import WaferNet

ORIGIN: Final = Origin(
    version="network",
    architecture="U-Net",
    data_fingerprint="",
    commit="",
    training_data={},
)


class TorchSession:
    """Answers as an onnxruntime session would, from a network as it stands.

    The network's mode is left alone: one whose dropout is on answers differently every time.
    """

    def __init__(self, net: WaferNet) -> None:
        self.served = Served(net)

    def run(
        self, outputs: Sequence[str], feed: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[np.float32]]:
        """Return the named outputs for uint8 ``dies`` and float32 ``fold``, both [B, H, W]."""
        with torch.inference_mode():
            tensors = (torch.from_numpy(np.ascontiguousarray(feed[n])) for n in ("dies", "fold"))
            answers = dict(zip(OUTPUTS, self.served(*tensors), strict=True))
        return [answers[name].float().cpu().numpy() for name in outputs]


def torch_predictor(net: WaferNet) -> Predictor:
    """Return a predictor that asks a network on the CPU; thresholds 0.5, nothing calibrated."""
    facts = json.dumps(neutral_metadata(net, ORIGIN))
    info = read_info(Path("network"), {PROPERTY: facts})
    return Predictor(OpenModel(info, TorchSession(net)))
