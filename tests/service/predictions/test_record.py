"""The record as the API's document shows it is the record as the library gives it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import Reticle, Source
from waferscope.infer import load_predictor
from waferscope.service.predictions.record import Record

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[3] / "docs" / "prediction-schema.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    wafer = make_wafer(
        5,
        40,
        die_width_mm=2.0,
        die_height_mm=3.0,
        reticle=Reticle(2, 3),
        centre=(19.5, 19.5),
        source=Source("stdf", "a.stdf", "0" * 64),
        patterns=("Loc",),
        notes=("retested",),
    )
    return load_predictor(threads=1).predict(wafer)


@pytest.mark.parametrize("polygons", [True, False])
def test_it_describes_all_that_is_answered(prediction: Prediction, polygons: bool) -> None:
    plain = json.loads(json.dumps(prediction.to_dict(polygons=polygons)))
    assert plain["defects"]
    shown = Record.model_validate(plain)
    assert shown.model_dump(mode="json", by_alias=True, exclude_unset=True) == plain


def properties(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """The properties of an object's schema and, below them, of theirs."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return properties(choice, root)
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return properties(schema["items"], root)
    return {name: properties(one, root) for name, one in schema.get("properties", {}).items()}


def test_it_has_the_names_of_the_published_schema() -> None:
    ours = properties(Record.model_json_schema(), Record.model_json_schema())
    published = properties(SCHEMA, SCHEMA)
    # Numbers as nested lists are for files.
    for name in ("probs", "embedding", "evidence"):
        published.pop(name, None)
    assert set(ours) == set(published)
    for part in ("taxonomy", "wafer"):
        assert ours[part] == published[part]
