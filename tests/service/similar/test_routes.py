"""Similar wafers over HTTP: who may ask, what comes with a neighbour, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.service.conftest import People, add_person
from tests.service.made import MODEL, add_wafer
from waferscope.service.app import build_app
from waferscope.service.parts import Parts
from waferscope.service.vectors import Floats


def towards(angle: float, size: int = 8) -> Floats:
    """A unit vector at an angle (degrees) from the first axis."""
    vector = np.zeros(size, dtype=np.float32)
    vector[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return vector


@pytest.fixture
def wafers(house: Parts) -> list[str]:
    """Wafers 0, 10, 20 ... degrees away from the first one."""
    user = add_person(house, "annotator").id
    return [
        add_wafer(
            house,
            user,
            name=f"W{i:02}",
            product=f"P{i % 2}",
            labels={"Scratch": "pattern", "scratch": "class"} if i < 3 else {},
            embedding=towards(10 * i),
        )
        for i in range(6)
    ]


def test_the_nearest_come_first_with_labels_and_causes(people: People, wafers: list[str]) -> None:
    annotator, viewer = people("annotator"), people("viewer")
    note = {"wafer_id": wafers[1], "label": "Scratch", "cause": "robot arm", "note": "Bay 3."}
    cause = annotator.post("/causes", json=note).json()
    shown = viewer.get("/similar", params={"wafer_id": wafers[0], "k": 3}).json()
    assert (shown["model_version"], shown["searched"]) == (MODEL, 6)
    assert [one["wafer"]["id"] for one in shown["items"]] == wafers[1:4]
    for one, angle in zip(shown["items"], (10, 20, 30), strict=True):
        assert one["similarity"] == pytest.approx(np.cos(np.radians(angle)), abs=1e-6)
    first = shown["items"][0]
    assert [(one["label"], one["kind"]) for one in first["labels"]] == [
        ("Scratch", "pattern"),
        ("scratch", "class"),
    ]
    (noted,) = first["causes"]
    assert noted == {name: cause[name] for name in noted}
    assert shown["items"][2]["labels"] == shown["items"][2]["causes"] == []


def test_filters_leave_out_others(people: People, wafers: list[str]) -> None:
    viewer = people("viewer")
    for wanted, found in (
        ({"product": "P1"}, [1, 3, 5]),
        ({"label": "Scratch"}, [1, 2]),
        ({"product": "P1", "label": "scratch"}, [1]),
        ({"until": "2020-01-01T00:00:00Z"}, []),
    ):
        shown = viewer.get("/similar", params={"wafer_id": wafers[0], **wanted}).json()
        assert [one["wafer"]["id"] for one in shown["items"]] == [wafers[i] for i in found], wanted


def test_a_wafer_that_is_not_stored_is_compared_by_its_embedding(
    people: People, wafers: list[str]
) -> None:
    body: dict[str, Any] = {
        "embedding": towards(21).tolist(),
        "model_version": MODEL,
        "k": 2,
        "wanted": {"product": "P1"},
    }
    shown = people("viewer").post("/similar", json=body).json()
    assert [one["wafer"]["id"] for one in shown["items"]] == [wafers[3], wafers[1]]


def test_what_is_new_is_found_at_once_in_every_process(
    people: People, house: Parts, wafers: list[str]
) -> None:
    from fastapi.testclient import TestClient

    from waferscope.service.parts import open_parts

    viewer = people("viewer")
    other_parts = open_parts(house.settings)
    asked: dict[str, str | int] = {"wafer_id": wafers[0], "k": 1}
    with TestClient(
        build_app(house.settings, other_parts), base_url="http://testserver/api/v1"
    ) as other:
        other.headers.update(viewer.headers)
        for client in (viewer, other):
            assert client.get("/similar", params=asked).json()["searched"] == 6
        new = add_wafer(house, add_person(house, "annotator").id, embedding=towards(1))
        for client in (viewer, other):
            shown = client.get("/similar", params=asked).json()
            assert shown["searched"] == 7
            assert shown["items"][0]["wafer"]["id"] == new


def test_a_wafer_without_a_prediction_is_like_nothing(
    people: People, house: Parts, wafers: list[str]
) -> None:
    viewer = people("viewer")
    bare = add_wafer(house, add_person(house, "annotator").id)
    for unknown in (bare, "waf_0"):
        answer = viewer.get("/similar", params={"wafer_id": unknown})
        assert answer.status_code == 404
        assert "Predict it first" in answer.json()["detail"]
    answer = viewer.get("/similar", params={"wafer_id": wafers[0], "model_version": "9"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"embedding": [1.0]}, 422),
        ({"embedding": [0.5] * 8}, 422),
        ({"embedding": [0.0] * 8}, 422),
        ({"model_version": "9"}, 404),
        ({"wanted": {"severity": "huge"}}, 422),
        ({"k": 101}, 422),
    ],
    ids=["too short", "no unit", "nothing", "unknown model", "no filter", "too many"],
)
def test_what_cannot_be_compared_is_refused(
    people: People, wafers: list[str], change: dict[str, Any], status: int
) -> None:
    body = {"embedding": towards(0).tolist(), "model_version": MODEL, **change}
    answer = people("viewer").post("/similar", json=body)
    assert answer.status_code == status, answer.text
