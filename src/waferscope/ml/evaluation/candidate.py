"""A model to be examined: an ONNX file or a training checkpoint, calibrated or not yet."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from waferscope.infer import ModelInfo, Predictor, load_predictor
from waferscope.infer.model_file import find_model
from waferscope.ml.evaluation.calibration import Calibration
from waferscope.ml.graph.export import Origin, export_onnx, update_metadata
from waferscope.ml.graph.placing import place_file
from waferscope.ml.train import load_network


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model file opened; ``name`` and ``size_bytes`` are of the file that was given."""

    predictor: Predictor
    name: str
    size_bytes: int
    calibrated: bool

    def recalibrated(self, calibration: Calibration) -> Candidate:
        """Return the candidate with another calibration; the file given stays as it is."""
        path = self.predictor.model.path
        copy = path.with_name(f"calibrated-{path.name}")
        shutil.copy(path, copy)
        update_metadata(copy, calibration.to_metadata())
        return Candidate(load_predictor(copy), self.name, self.size_bytes, self.calibrated)

    def describe(self) -> dict[str, Any]:
        """Return what identifies the model in a report; ``graph`` is `graph_hash`."""
        info = self.predictor.model
        return {
            "file": self.name,
            "version": info.version,
            "architecture": info.architecture,
            "quantisation": info.quantisation,
            "size_bytes": self.size_bytes,
            "graph": graph_hash(info.path),
            "calibration": "its own" if self.calibrated else "fitted for this report",
            "mask_thresholds": dict(
                zip(info.taxonomy.class_names, info.mask_thresholds, strict=True)
            ),
            "min_dies": {c.name: c.min_dies for c in info.taxonomy.classes},
        }


@contextmanager
def open_candidate(model: Path | None = None) -> Iterator[Candidate]:
    """Open a model file; a checkpoint is exported first, as it is, in fp32.

    Raises ModelError for a file that is neither.
    """
    with tempfile.TemporaryDirectory() as folder:
        if model is not None and model.suffix != ".onnx":
            path = _export(model, Path(folder) / "checkpoint.onnx")
            yield Candidate(load_predictor(path), model.name, model.stat().st_size, False)
            return
        path = find_model(model)
        predictor = load_predictor(path)
        known = not is_neutral(predictor.model)
        if not known:
            predictor = load_predictor(shutil.copy(path, Path(folder) / path.name))
        yield Candidate(predictor, path.name, path.stat().st_size, known)


def is_neutral(info: ModelInfo) -> bool:
    """Return whether a file was never calibrated: it is as `export_onnx` leaves it."""
    return (
        set(info.mask_thresholds) == {0.5}
        and set(info.pattern_thresholds) == {0.5}
        and set(info.temperature) == {1.0}
        and set(info.bias) == {0.0}
    )


def graph_hash(path: Path) -> str:
    """Return the SHA-256 of a model's graph and weights; its metadata is left out."""
    model = onnx.load(str(path))
    del model.metadata_props[:]
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def _export(checkpoint: Path, path: Path) -> Path:
    net, about = load_network(checkpoint)
    written = export_onnx(
        net,
        path,
        Origin(
            version=f"{about['recipe']}-{about['steps']}",
            architecture=net.config.label,
            data_fingerprint=about["data_fingerprint"],
            commit="unknown",
            training_data={k: about[k] for k in ("recipe", "steps", "seed")},
        ),
    )
    return place_file(written)
