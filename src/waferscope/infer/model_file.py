"""The model file: where it is, how it is opened, and what it says of itself.

One ONNX file is the model. Its metadata property `waferscope` holds JSON with the schema, the
taxonomy, thresholds, calibration and origin; onnxruntime reads it, the `onnx` package is not
needed. A file that does not keep the contract is refused with the reason.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from waferscope.domain.taxonomy import Taxonomy
from waferscope.errors import ConfigError, InputError, ModelError

SCHEMA: Final = 1
PROPERTY: Final = "waferscope"
VARIABLE: Final = "WAFERSCOPE_MODEL"
"""Environment variable that names another default model."""
OUTPUTS: Final = ("mask_probs", "pattern_probs", "embedding", "evidence")
INPUT_TYPES: Final[Mapping[str, str]] = {"dies": "tensor(uint8)", "fold": "tensor(float)"}
LOAD_ERRORS: Final = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_CURE: Final = "Export the model again with `waferscope export`."


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model file says of itself.

    ``mask_thresholds`` follow the classes of the taxonomy; ``pattern_thresholds``,
    ``temperature`` and ``bias`` (of the calibration) its patterns. ``stride`` is k, the side in
    dies of an evidence cell.
    """

    path: Path
    version: str
    taxonomy: Taxonomy
    mask_thresholds: tuple[float, ...]
    pattern_thresholds: tuple[float, ...]
    temperature: tuple[float, ...]
    bias: tuple[float, ...]
    stride: int
    embedding_dim: int
    inputs: tuple[str, ...]
    architecture: str = ""
    quantisation: str = ""
    training_data: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str = ""
    commit: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready values."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["taxonomy"] = self.taxonomy.to_dict()
        plain["path"] = str(self.path)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model file opened for inference."""

    info: ModelInfo
    session: ort.InferenceSession


def find_model(model: str | Path | None = None) -> Path:
    """Return the file to open: ``model``, else what WAFERSCOPE_MODEL names, else the packaged one.

    Raises ModelError when it is not there.
    """
    named = model if model is not None else os.environ.get(VARIABLE) or None
    if named is not None and not isinstance(named, str | Path):
        raise InputError.build(
            expected="the path of a model file",
            got=type(named).__name__,
            cure="Give a str or Path, or None for the released model.",
        )
    if named is None:
        path = Path(str(resources.files("waferscope") / "models" / "waferscope.onnx"))
    else:
        path = Path(named)
    if not path.is_file():
        origin = "the packaged model" if named is None else "a model file"
        raise ModelError.build(
            expected=f"{origin} at {path}",
            got="no such file",
            cure=f"Give the path of an ONNX file, set {VARIABLE}, or train one with "
            "`waferscope train`.",
        )
    return path


def open_model(path: Path, *, threads: int, providers: Sequence[str] | None = None) -> OpenModel:
    """Open a model file with a number of threads; raise ModelError when it breaks the contract.

    ``providers`` are onnxruntime's execution providers, best first; default: the CPU.
    """
    chosen = list(providers) if providers is not None else ["CPUExecutionProvider"]
    unknown = sorted(set(chosen) - set(ort.get_available_providers()))
    if unknown or not chosen:
        raise InputError.build(
            expected=f"execution providers out of {', '.join(ort.get_available_providers())}",
            got=", ".join(unknown) or "none",
            cure="Leave providers out for the CPU, or install the onnxruntime that has them.",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between batches take the cores from folding and postprocessing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Canvases differ in shape: plans kept per shape cost memory and save nothing measurable.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), sess_options=options, providers=chosen)
    except LOAD_ERRORS as error:
        raise ModelError(
            f"Expected an ONNX model at {path}, got a file that onnxruntime cannot load "
            f"({_first_line(error)}). {_CURE}"
        ) from error
    info = read_info(path, session.get_modelmeta().custom_metadata_map)
    _check_graph(session, info)
    return OpenModel(info, session)


def read_info(path: Path, properties: Mapping[str, str]) -> ModelInfo:
    """Return what the metadata properties say; raise ModelError when they break the contract."""
    facts = _facts(path, properties)
    try:
        taxonomy = Taxonomy.from_dict(facts["taxonomy"])
        calibration = facts["pattern_calibration"]
        patterns, classes = len(taxonomy.patterns), len(taxonomy.classes)
        return ModelInfo(
            path=path,
            version=str(facts["model_version"]),
            taxonomy=taxonomy,
            mask_thresholds=_numbers(facts, "mask_thresholds", classes, 0.0, 1.0),
            pattern_thresholds=_numbers(facts, "pattern_thresholds", patterns, 0.0, 1.0),
            temperature=_numbers(calibration, "temperature", patterns, 1.0e-6, math.inf),
            bias=_numbers(calibration, "bias", patterns, -math.inf, math.inf),
            stride=_positive(facts, "stride"),
            embedding_dim=_positive(facts, "embedding_dim"),
            inputs=tuple(str(name) for name in facts["inputs"]),
            architecture=str(facts.get("architecture", "")),
            quantisation=str(facts.get("quantisation", "")),
            training_data=dict(facts.get("training_data") or {}),
            data_fingerprint=str(facts.get("data_fingerprint", "")),
            commit=str(facts.get("commit", "")),
            metrics=dict(facts.get("metrics") or {}),
            notices=tuple(str(line) for line in facts.get("notices") or ()),
        )
    except ConfigError as error:
        raise ModelError(f"The model at {path} carries an unusable taxonomy: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"Expected complete metadata in {path}, got a missing or misshapen entry "
            f"({error}). {_CURE}"
        ) from error


def _facts(path: Path, properties: Mapping[str, str]) -> dict[str, Any]:
    if PROPERTY not in properties:
        raise ModelError.build(
            expected=f"the metadata property {PROPERTY!r} in {path}",
            got=f"properties {sorted(properties) or 'none'}",
            cure=f"This ONNX file is not a WaferScope model. {_CURE}",
        )
    try:
        facts = json.loads(properties[PROPERTY])
    except json.JSONDecodeError as error:
        raise ModelError(f"Expected JSON metadata in {path}, got {error}. {_CURE}") from error
    schema = facts.get("schema") if isinstance(facts, dict) else None
    if not isinstance(facts, dict) or schema != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        raise ModelError.build(
            expected=f"model metadata of schema {SCHEMA} in {path}",
            got=f"schema {schema!r}",
            cure="Update waferscope to use this newer model." if newer else _CURE,
        )
    return facts


def _numbers(
    facts: Mapping[str, Any], name: str, count: int, low: float, high: float
) -> tuple[float, ...]:
    values = tuple(float(value) for value in facts[name])
    if len(values) != count or not all(low <= v <= high and math.isfinite(v) for v in values):
        raise ValueError(f"{name} should be {count} numbers from {low:g} to {high:g}: {values}")
    return values


def _positive(facts: Mapping[str, Any], name: str) -> int:
    value = int(facts[name])
    if value < 1:
        raise ValueError(f"{name} should be at least 1: {value}")
    return value


def _check_graph(session: ort.InferenceSession, info: ModelInfo) -> None:
    """Compare the graph's inputs and outputs with what the metadata promises."""
    inputs = {node.name: node.type for node in session.get_inputs()}
    promised = {name: INPUT_TYPES.get(name, "?") for name in info.inputs}
    if inputs != promised or "dies" not in inputs:
        raise ModelError.build(
            expected=f"graph inputs {promised or 'dies'} in {info.path}",
            got=f"{inputs}",
            cure=_CURE,
        )
    outputs = {node.name: node.shape for node in session.get_outputs()}
    patterns = len(info.taxonomy.patterns)
    channels = dict(
        zip(
            OUTPUTS,
            (len(info.taxonomy.classes), patterns, info.embedding_dim, patterns),
            strict=True,
        )
    )
    for name, count in channels.items():
        shape = outputs.get(name)
        fixed = shape[1] if shape is not None and len(shape) > 1 else None
        if shape is None or (isinstance(fixed, int) and fixed != count):
            raise ModelError.build(
                expected=f"graph output {name} with {count} channels in {info.path}",
                got="no such output" if shape is None else f"shape {shape}",
                cure=_CURE,
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
