"""What is put down of a prediction before its rows are added."""

from __future__ import annotations

import numpy as np
import pytest

from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.infer import load_predictor
from waferscope.service.parts import Parts
from waferscope.service.predicted.blob import unpack
from waferscope.service.predicted.draft import Choices, Found, draft


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    return load_predictor(threads=1).predict(make_wafer(5, 40), threshold=0.2)


def test_choices_are_told_apart() -> None:
    digests = {Choices(threshold).sha256 for threshold in (None, 0.0, 0.5, 1.0)}
    assert len(digests) == 4
    assert Choices(0.5).sha256 == Choices(0.5).sha256


def test_a_draft_says_what_the_prediction_says(house: Parts, prediction: Prediction) -> None:
    one = draft(house.blobs, "waf_1", "usr_1", prediction, Choices(0.2))
    assert one.labels == tuple(prediction.labels)
    assert one.patterns == prediction.patterns
    assert one.metrics == prediction.metrics.to_dict()
    assert (one.severity, one.severity_level) == (prediction.severity, prediction.severity_level)
    vector = np.frombuffer(one.embedding, "<f4")
    assert np.array_equal(vector, prediction.embedding)
    dies = {name: int(mask.sum()) for name, mask in _masks(prediction).items() if mask.any()}
    assert dies
    assert {found.label: found.dies for found in one.found if found.kind == "class"} == dies
    assert [found for found in one.found if found.kind == "pattern"] == [
        Found(label, "pattern", prediction.patterns[label], 0) for label in prediction.labels
    ]


def _masks(prediction: Prediction) -> dict[str, np.ndarray]:
    return dict(zip(prediction.taxonomy.class_names, prediction.masks, strict=True))


def test_drafting_twice_leaves_one_blob(house: Parts, prediction: Prediction) -> None:
    first, second = (
        draft(house.blobs, "waf_1", "usr_1", prediction, Choices(0.2)) for _ in range(2)
    )
    assert first.id != second.id
    assert first.blob == second.blob
    assert list(house.blobs.names()) == [first.blob]
    again = unpack(house.blobs.get(first.blob), prediction.wafer)
    assert again.to_dict() == prediction.to_dict()


def test_each_wafer_and_choice_has_a_blob_of_its_own(house: Parts, prediction: Prediction) -> None:
    names = {
        draft(house.blobs, wafer, "usr_1", prediction, Choices(threshold)).blob
        for wafer in ("waf_1", "waf_2")
        for threshold in (None, 0.5)
    }
    assert len(names) == 4
