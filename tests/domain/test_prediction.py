"""Predictions: what follows from the model's numbers, and the JSON that everybody reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from waferscope.domain.masks import build_masks
from waferscope.domain.prediction import SCHEMA, Prediction
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, DefectClass, Taxonomy
from waferscope.domain.wafermap import Frame, Reticle, Source, WaferMap
from waferscope.errors import InputError

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "prediction-schema.json"
KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def conforms(value: Any, schema: dict[str, Any], path: str = "$") -> list[str]:
    """The faults of a value under the part of JSON Schema that the page uses."""
    if "anyOf" in schema:
        options = [conforms(value, option, path) for option in schema["anyOf"]]
        return [] if [] in options else options[0]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, KINDS[k]) for k in kinds) or (
        isinstance(value, bool) and "boolean" not in kinds
    ):
        return [f"{path}: {value!r:.40} is not {kinds}"]
    if value is None:
        return []
    faults: list[str] = []
    if value != schema.get("const", value) or value not in schema.get("enum", [value]):
        faults.append(f"{path}: {value!r}")
    if isinstance(value, int | float):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high or value >= schema.get("exclusiveMaximum", np.inf):
            faults.append(f"{path}: {value}")
    if isinstance(value, list):
        size = len(value)
        if not schema.get("minItems", size) <= size <= schema.get("maxItems", size):
            faults.append(f"{path}: {size} items")
        if "items" in schema:
            for i, item in enumerate(value):
                faults += conforms(item, schema["items"], f"{path}[{i}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        faults += [f"{path}: lacks {k}" for k in schema.get("required", []) if k not in value]
        for key, item in value.items():
            rule = known.get(key, schema.get("additionalProperties", False))
            faults += conforms(item, rule, f"{path}.{key}") if rule else [f"{path}: {key}"]
    return faults


def predict(dies: Any, zones: dict[str, Any] | None = None, **fields: Any) -> Prediction:
    """A prediction whose zones are given (all of the wafer where True) at 0.9."""
    wafer = dies if isinstance(dies, WaferMap) else WaferMap(np.asarray(dies, dtype=np.uint8))
    taxonomy = fields.get("taxonomy", DEFAULT_TAXONOMY)
    probs = np.zeros((len(taxonomy.classes), *wafer.shape), dtype=np.float32)
    for name, zone in (zones or {}).items():
        probs[taxonomy.channel(name)] = np.where(zone, 0.9, 0) * (wafer.dies > 0)
    values: dict[str, Any] = {
        "wafer": wafer,
        "taxonomy": taxonomy,
        "probs": probs,
        "thresholds": (0.5,) * len(taxonomy.classes),
        "patterns": dict.fromkeys(taxonomy.patterns, 0.1),
        "pattern_thresholds": dict.fromkeys(taxonomy.patterns, 0.5),
        "embedding": np.ones(4, dtype=np.float32) / 2,
        "evidence": np.zeros((len(taxonomy.patterns), 2, 2), dtype=np.float32),
        "model_version": "m1",
    }
    return Prediction(**values | fields)


def patterns(**probs: float) -> dict[str, float]:
    return dict.fromkeys(DEFAULT_TAXONOMY.patterns, 0.1) | {
        name.replace("_", "-"): prob for name, prob in probs.items()
    }


def test_labels_are_ordered_by_how_far_they_pass() -> None:
    limits = dict.fromkeys(DEFAULT_TAXONOMY.patterns, 0.5) | {"Loc": 0.2, "Scratch": 0.9}
    preds = predict(
        [[1]],
        patterns=patterns(Loc=0.5, Scratch=0.89, Donut=0.9, Center=0.5),
        pattern_thresholds=limits,
    )
    assert preds.labels == ["Loc", "Donut", "Center"]  # 2.5, 1.8, 1.0; Scratch misses its own
    always = predict([[1]], pattern_thresholds=limits | {"Random": 0.0})
    assert always.labels == ["Random"]


def test_labels_and_masks_that_agree_have_no_conflict() -> None:
    fails = np.full((5, 5), 2)
    assert predict(fails, {"scratch": True}, patterns=patterns(Scratch=0.9)).conflicts == []
    assert predict(fails, {"edge": True}, patterns=patterns(Edge_Loc=0.8)).conflicts == []
    assert predict(fails, {"etching": True}).conflicts == []  # no label speaks of it
    assert predict(np.ones((5, 5))).conflicts == []


def test_conflicts_are_said_both_ways() -> None:
    fails = np.full((5, 5), 2)
    preds = predict(fails, {"edge": True}, patterns=patterns(Scratch=0.91, Edge_Ring=0.4))
    assert preds.conflicts == [
        "Labelled Scratch (0.91), but no die is marked scratch.",
        "25 dies are marked edge, but the wafer is not labelled Edge-Loc or Edge-Ring (0.40).",
    ]


def test_masks_defects_and_metrics_belong_together() -> None:
    dies = np.full((9, 9), 2)
    preds = predict(dies, {"random": True, "scratch": np.eye(9, dtype=bool)})
    np.testing.assert_array_equal(
        preds.masks, build_masks(preds.probs, preds.wafer.dies, (0.5,) * 8, DEFAULT_TAXONOMY)
    )
    assert [d.class_name for d in preds.defects] == ["scratch", "random"]
    assert preds.metrics.counts["scratch"] == preds.metrics.counts["random"] == 1
    assert preds.severity == preds.metrics.severity == pytest.approx(80 + 5 + 10 / 7)
    assert preds.severity_level == "critical"


def test_what_is_computed_is_computed_once_and_read_only() -> None:
    preds = predict(np.full((4, 4), 2), {"ring": True})
    for name in ("masks", "labels", "conflicts", "defects", "metrics"):
        assert getattr(preds, name) is getattr(preds, name)
    for array in (preds.masks, preds.probs, preds.embedding, preds.evidence):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


FULL = WaferMap(
    np.pad(np.full((6, 7), 2, dtype=np.uint8), 1),
    wafer_id="W1",
    lot_id="L1",
    slot=3,
    tested_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
    die_width_mm=3.0,
    die_height_mm=2.0,
    diameter_mm=25.0,
    frame=Frame(-3, 4, 1, -1),
    reticle=Reticle(2, 3, 1, 0),
    patterns=("Scratch",),
    source=Source("csv", "lot.csv", "ab"),
    notes=("orientation guessed",),
)
CORNER_CASES = {
    "full": FULL,
    "no failing die": np.ones((6, 6)),
    "one failing die": np.pad([[2]], 2, constant_values=1),
    "all dies failing": np.full((6, 6), 2),
    "one die": [[2]],
    "one passing die": [[1]],
    "one place": [[0]],
    "nothing tested": np.zeros((5, 3)),
}


@pytest.mark.parametrize("case", CORNER_CASES)
@pytest.mark.parametrize("zones", [{}, dict.fromkeys(DEFAULT_TAXONOMY.class_names, True)])
def test_every_record_follows_the_schema(case: str, zones: dict[str, Any]) -> None:
    preds = predict(CORNER_CASES[case], zones)
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    for options in ({}, {"polygons": False, "arrays": True}):
        text = json.dumps(preds.to_dict(**options), allow_nan=False)
        record = json.loads(text)
        assert conforms(record, schema) == []
        assert ("probs" in record) is ("arrays" in options)
    for name, mask in zip(DEFAULT_TAXONOMY.class_names, preds.masks, strict=True):
        rle = record["masks"][name]
        np.testing.assert_array_equal(coco.decode(coco.frPyObjects(rle, *rle["size"])), mask)


def test_the_check_of_the_schema_has_teeth() -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    record = predict(FULL, {"ring": True}).to_dict()
    assert schema["properties"]["schema"]["const"] == record["schema"] == SCHEMA
    for change in (
        {"schema": "waferscope.prediction/2"},
        {"severity": 101.0},
        {"labels": [1]},
        {"extra": 0},
        {"defects": [record["defects"][0] | {"bbox": [1, 2, 3]}]},
        {"wafer": {**record["wafer"], "notch": "south"}},
    ):
        assert conforms(record | change, schema)
    assert conforms({k: v for k, v in record.items() if k != "masks"}, schema)


def test_the_record_carries_the_wafer() -> None:
    record = predict(FULL, {"ring": True}).to_dict()
    wafer = record["wafer"]
    assert (wafer["wafer_id"], wafer["slot"], wafer["rows"], wafer["cols"]) == ("W1", 3, 8, 9)
    assert wafer["tested_at"] == "2026-03-04T05:06:00+00:00"
    assert wafer["frame"] == {"x0": -3, "y0": 4, "dx": 1, "dy": -1, "swapped": False}
    assert wafer["fingerprint"] == FULL.fingerprint
    assert record["defects"][0]["polygon"]["coordinates"] == [
        [[1, 1], [8, 1], [8, 7], [1, 7], [1, 1]]
    ]
    assert record["defects"][0]["bbox_mm"] == [-10.5, -6.0, 10.5, 6.0]


def test_another_taxonomy_needs_no_other_code() -> None:
    fab = Taxonomy(
        version="fab-1",
        classes=(DefectClass(1, "arc", "#000000", min_dies=1),),
        patterns=("Arc", "Fog"),
        pattern_class={"Arc": "arc"},
    )
    preds = predict([[2, 1], [1, 1]], {"arc": True}, taxonomy=fab, patterns={"Fog": 0.9, "Arc": 0})
    assert preds.labels == ["Fog"]
    assert preds.conflicts == ["1 die is marked arc, but the wafer is not labelled Arc (0.00)."]
    assert preds.to_dict()["masks"] == {"arc": {"size": [2, 2], "counts": [0, 1, 3]}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"probs": np.zeros((8, 3, 2), dtype=np.float32)}, r"probs of shape \(8, 2, 3\)"),
        ({"thresholds": (0.5,) * 7}, "8 thresholds"),
        ({"thresholds": (np.inf,) * 8}, "finite thresholds"),
        ({"probs": np.full((8, 2, 3), 1.5, dtype=np.float32)}, "between 0 and 1"),
        ({"probs": np.full((8, 2, 3), np.nan, dtype=np.float32)}, "between 0 and 1"),
        ({"embedding": np.ones((2, 2))}, "embedding"),
        ({"embedding": np.array([np.nan])}, "finite numbers in embedding"),
        ({"evidence": np.ones((7, 2, 2))}, "one evidence map per pattern"),
        ({"patterns": {"Loc": 0.5}}, "patterns for Center"),
        ({"patterns": patterns(Fog=0.5)}, "patterns for Center"),
        ({"patterns": patterns(Loc=float("nan"))}, "between 0 and 1"),
        ({"pattern_thresholds": patterns(Loc=-1)}, "pattern_thresholds between"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict(np.ones((2, 3)), **fields)
