"""WaferScope: which dies of a wafer belong to which defect mechanism.

The public names load on first use, so that ``import waferscope`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from waferscope.domain.defects import Defect
    from waferscope.domain.prediction import Prediction
    from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, DefectClass, Taxonomy
    from waferscope.domain.wafermap import Bins, Frame, Reticle, WaferMap
    from waferscope.errors import FormatError, InputError, ModelError, WaferScopeError
    from waferscope.infer import Predictor, load_predictor
    from waferscope.io import read
    from waferscope.report import write

_HOME = {
    "Bins": "waferscope.domain.wafermap",
    "DEFAULT_TAXONOMY": "waferscope.domain.taxonomy",
    "Defect": "waferscope.domain.defects",
    "DefectClass": "waferscope.domain.taxonomy",
    "FormatError": "waferscope.errors",
    "Frame": "waferscope.domain.wafermap",
    "InputError": "waferscope.errors",
    "ModelError": "waferscope.errors",
    "Prediction": "waferscope.domain.prediction",
    "Predictor": "waferscope.infer",
    "Reticle": "waferscope.domain.wafermap",
    "Taxonomy": "waferscope.domain.taxonomy",
    "WaferMap": "waferscope.domain.wafermap",
    "WaferScopeError": "waferscope.errors",
    "load_predictor": "waferscope.infer",
    "read": "waferscope.io",
    "write": "waferscope.report",
}

__all__ = [
    "DEFAULT_TAXONOMY",
    "Bins",
    "Defect",
    "DefectClass",
    "FormatError",
    "Frame",
    "InputError",
    "ModelError",
    "Prediction",
    "Predictor",
    "Reticle",
    "Taxonomy",
    "WaferMap",
    "WaferScopeError",
    "__version__",
    "load_predictor",
    "read",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'waferscope' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
