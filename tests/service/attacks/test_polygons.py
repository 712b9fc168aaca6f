"""Polygons beyond measure: those that are sent, and those that an answer would have to hold."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.service.conftest import People
from tests.service.made import add_wafer
from waferscope.service.parts import Parts

SOON_S = 60
SIDE = 60


def coco(*rings: Sequence[float], side: int = SIDE, count: int = 1) -> bytes:
    """A COCO file of one image; each of its annotations has all the rings."""
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "w.png", "width": side, "height": side}],
            "categories": [{"id": 1, "name": "edge"}],
            "annotations": [
                {"id": n, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": rings}
                for n in range(count)
            ],
        }
    ).encode()


def circle(points: int) -> list[float]:
    angle = np.linspace(0, 2 * np.pi, points)
    places = np.stack([30 + 20 * np.cos(angle), 30 + 20 * np.sin(angle)], axis=1)
    return [float(value) for value in places.ravel()]


SENT: dict[str, bytes] = {
    "far away": coco([0, 0, 1e300, 0, 1e300, 1e300]),
    "beyond integers": coco([-(2**63), 0, 2**63, 0, 2**63, 2**63]),
    "many points": coco(circle(20_000)),
    "many polygons": coco([0, 0, 9, 0, 9, 9], count=5_000),
    "many rings": coco(*[[0, 0, 9, 0, 9, 9]] * 5_000),
    "two points": coco([0, 0, 9, 9]),
    "odd numbers": coco([0, 0, 9, 0, 9]),
    "nothing": coco([]),
    "a vast image": coco([0, 0, 9, 0, 9, 9], side=10**9),
}


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("path", ["/uploads", "/predict"])
def test_polygons_that_are_sent_are_bounded(people: People, name: str, path: str) -> None:
    since = time.monotonic()
    answer = people("annotator").post(path, files={"file": ("a.coco.json", SENT[name])})
    assert answer.status_code < 500, answer.text[:500]
    assert time.monotonic() - since < SOON_S


@pytest.mark.parametrize("field", ["segmentation", "polygon", "annotations", "masks"])
def test_a_request_takes_no_polygons(people: People, house: Parts, field: str) -> None:
    client = people("annotator")
    own = client.get("/auth/me").json()["id"]
    wafer = add_wafer(house, own, labels={"Loc": "pattern"})
    polygon: Any = [[0, 0], [1e9, 0], [1e9, 1e9]]
    body = {"wafer_id": wafer, "note": "no", field: polygon}
    assert client.post("/flags", json=body).status_code == 422
    asked = {"wafers": [{"dies": ["12"], field: polygon}]}
    assert client.post("/predict", json=asked).status_code == 422


def test_the_outlines_of_a_wafer_of_noise_are_answered_within_bounds(people: People) -> None:
    dies = np.random.default_rng(0).integers(1, 3, (200, 200), dtype=np.uint8)
    wafer = {"dies": ["".join(map(str, row)) for row in dies.tolist()]}
    since = time.monotonic()
    answer = people("viewer").post("/predict", params={"polygons": True}, json={"wafers": [wafer]})
    assert answer.status_code == 200, answer.text[:500]
    assert time.monotonic() - since < SOON_S
    assert len(answer.content) < 100 * dies.size
