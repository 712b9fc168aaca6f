"""Wafers: found by any filter, in any order, page by page; looked at; deleted and restored."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.service.conftest import People, add_person
from tests.service.made import NOON, add_wafer
from tests.service.stored import make_wafer
from tests.service.uploads.files import lot_wafers, stdf
from waferscope.domain.wafermap import WaferMap
from waferscope.io.json_wafer import json_wafer_row
from waferscope.service.parts import Parts


def upload(client: TestClient, data: bytes) -> list[str]:
    asked = {"file_name": "lot.stdf", "predict": "false"}
    answer = client.post("/uploads", content=data, params=asked)
    assert answer.status_code == 201, answer.text
    return [wafer["id"] for wafer in answer.json()["wafers"]]


def every_page(client: TestClient, limit: int = 2, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        answer = client.get("/wafers", params={"limit": limit, "cursor": cursor, **asked})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
    return found


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@pytest.fixture
def seven(house: Parts) -> list[str]:
    """Seven wafers whose orders by date, severity and yield all differ, two unpredicted."""
    user = add_person(house, "annotator").id
    severities = [30.0, None, 90.0, 10.0, 90.0, None, 50.0]
    return [
        add_wafer(
            house,
            user,
            name=f"W{number}",
            tested_at=NOON - timedelta(days=number * 3 % 7),
            severity=severity,
            severity_level="" if severity is None else "critical" if severity > 66 else "low",
            yield_share=number * 2 % 5 / 5,
        )
        for number, severity in enumerate(severities)
    ]


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("dated", lambda w: (w["dated"], w["id"])),
        ("arrived", lambda w: w["id"]),
        ("severity", lambda w: (-1 if w["severity"] is None else w["severity"], w["id"])),
        ("yield", lambda w: (w["wafer_yield"], w["id"])),
    ],
)
@pytest.mark.parametrize("falling", [False, True])
def test_every_order_is_that_of_a_plain_sort(
    people: People, seven: list[str], sort: str, key: Any, falling: bool
) -> None:
    one = people("viewer")
    found = every_page(one, sort=f"-{sort}" if falling else sort)
    assert {wafer["id"] for wafer in found} == set(seven)
    assert found == sorted(found, key=key, reverse=falling)


def test_filters_agree_together(people: People, house: Parts) -> None:
    user = add_person(house, "annotator").id
    add_wafer(house, user, lot="A1", product="P1", step="sort", tester="T1")
    both = add_wafer(
        house, user, lot="A2", product="P1", step="probe", labels={"Scratch": "pattern"}
    )
    add_wafer(house, user, lot="A3", product="P2", step="probe")
    one = people("viewer")
    filters: tuple[dict[str, Any], ...] = (
        {"product": "P1", "step": "probe"},
        {"product": "P1", "label": "Scratch"},
        {"text": "a2", "product": "P1"},
    )
    for asked in filters:
        assert [wafer["id"] for wafer in every_page(one, **asked)] == [both]
    assert every_page(one, product="P2", label="Scratch") == []


def test_a_cursor_belongs_to_its_order(people: People, seven: list[str]) -> None:
    one = people("viewer")
    cursor = one.get("/wafers", params={"limit": 2, "sort": "dated"}).json()["next"]
    assert one.get("/wafers", params={"cursor": cursor}).status_code == 422
    assert one.get("/wafers", params={"cursor": "junk"}).status_code == 422
    assert one.get("/wafers", params={"sort": "colour"}).status_code == 422


def test_a_wafer_and_its_dies(people: People) -> None:
    (truth,) = lot_wafers(1)
    (wafer_id,) = upload(people("annotator"), b"[" + json_wafer_row(truth) + b"]")
    one = people("viewer")
    answer = one.get(f"/wafers/{wafer_id}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["name"], body["lot"], body["fails"]) == (truth.wafer_id, "L7", truth.fail_count)
    assert body["map"]["frame"] == {"x0": 0, "y0": 0, "dx": 1, "dy": 1, "swapped": False}
    known = one.get(f"/wafers/{wafer_id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")
    dies = one.get(f"/wafers/{wafer_id}/dies")
    assert dies.headers["Content-Type"] == "application/octet-stream"
    shape = int(dies.headers["X-Rows"]), int(dies.headers["X-Cols"])
    np.testing.assert_array_equal(np.frombuffer(dies.content, np.uint8).reshape(shape), truth.dies)
    again = one.get(f"/wafers/{wafer_id}/dies", headers={"If-None-Match": dies.headers["ETag"]})
    assert again.status_code == 304


def test_pictures_are_drawn_once(people: People, house: Parts) -> None:
    (wafer_id,) = upload(people("annotator"), stdf(lot_wafers(1)))
    one = people("viewer")
    small = one.get(f"/wafers/{wafer_id}/thumbnail.png", params={"side": 48})
    assert small.headers["Content-Type"] == "image/png"
    assert max(picture(small.content).size) == 48
    assert one.get(f"/wafers/{wafer_id}/thumbnail.png", params={"side": 48}).content == (
        small.content
    )
    reads = house.figures.cache_reads
    assert reads.labels("thumbnail", "yes")._value.get() == 1
    page = one.get(f"/wafers/{wafer_id}/image.png")
    assert min(picture(page.content).size) > 300
    assert one.get(f"/wafers/{wafer_id}/thumbnail.png", params={"side": 9999}).status_code == 422


def test_a_stack_counts_fails_of_the_filter(people: People) -> None:
    wafers = lot_wafers(4)
    upload(people("annotator"), b"[" + b",".join(map(json_wafer_row, wafers)) + b"]")
    upload(people("annotator"), json_wafer_row(make_wafer(9, 12, lot_id="L7", product="P1")))
    one = people("viewer")
    stack = one.get("/wafers/stack", params={"lot": "L7", "product": "P1"}).json()
    assert (stack["wafers"], stack["left_out"]) == (4, 1)
    fails = sum((wafer.dies == 2).astype(int) for wafer in wafers)
    assert stack["fails"] == np.asarray(fails).tolist()
    drawn = one.get("/wafers/stack.png", params={"lot": "L7", "side": 64})
    assert picture(drawn.content).size == (64, 64)
    assert one.get("/wafers/stack", params={"lot": "none"}).status_code == 404


def test_the_file_comes_back_as_it_was(people: People) -> None:
    data = stdf(lot_wafers(2))
    wafer_id = upload(people("annotator"), data)[1]
    assert people("viewer").get(f"/wafers/{wafer_id}/file").content == data


def test_only_admins_delete_and_restore(people: People) -> None:
    (wafer_id,) = upload(people("annotator"), stdf(lot_wafers(1)))
    admin, engineer = people("admin"), people("engineer")
    assert engineer.delete(f"/wafers/{wafer_id}").status_code == 403
    assert engineer.get("/wafers", params={"deleted": True}).status_code == 403
    assert admin.delete(f"/wafers/{wafer_id}").status_code == 204
    assert admin.delete(f"/wafers/{wafer_id}").status_code == 409
    for path in ("", "/dies", "/image.png", "/thumbnail.png", "/file"):
        assert engineer.get(f"/wafers/{wafer_id}{path}").status_code == 404
    assert engineer.get("/wafers").json()["items"] == []
    gone = admin.get("/wafers", params={"deleted": True}).json()["items"]
    assert [wafer["id"] for wafer in gone] == [wafer_id]
    assert engineer.post(f"/wafers/{wafer_id}/restore").status_code == 403
    assert admin.post(f"/wafers/{wafer_id}/restore").json()["deleted_at"] is None
    assert admin.post(f"/wafers/{wafer_id}/restore").status_code == 409
    assert engineer.get(f"/wafers/{wafer_id}").status_code == 200
    assert admin.delete("/wafers/waf_nothing").status_code == 404


def test_a_deleted_wafer_that_comes_again_is_back(people: People) -> None:
    data = stdf(lot_wafers(1))
    (wafer_id,) = upload(people("annotator"), data)
    people("admin").delete(f"/wafers/{wafer_id}")
    assert upload(people("annotator"), data) == [wafer_id]
    assert people("viewer").get(f"/wafers/{wafer_id}").status_code == 200


def test_a_wafer_without_a_tested_die_has_no_yield(people: People) -> None:
    empty = WaferMap(np.zeros((2, 2), np.uint8), wafer_id="W")
    (wafer_id,) = upload(people("annotator"), json_wafer_row(empty))
    one = people("viewer")
    assert one.get(f"/wafers/{wafer_id}").json()["wafer_yield"] is None
    assert one.get(f"/wafers/{wafer_id}/thumbnail.png").status_code == 200
    assert one.get("/wafers/stack").json()["top"] == 0
