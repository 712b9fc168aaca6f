"""One wafer in, one prediction out: numpy and onnxruntime.

The names load on first use: training needs `fold` from here without onnxruntime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waferscope.infer.fold import fold_rates, fold_rates_batch
    from waferscope.infer.model_file import ModelInfo
    from waferscope.infer.predictor import Predictor, load_predictor

_HOME = {
    "ModelInfo": "waferscope.infer.model_file",
    "Predictor": "waferscope.infer.predictor",
    "fold_rates": "waferscope.infer.fold",
    "fold_rates_batch": "waferscope.infer.fold",
    "load_predictor": "waferscope.infer.predictor",
}

__all__ = ["ModelInfo", "Predictor", "fold_rates", "fold_rates_batch", "load_predictor"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'waferscope.infer' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
