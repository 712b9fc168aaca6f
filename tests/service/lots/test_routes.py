"""Lots: what their wafers add up to, their stack and their report."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer
from tests.service.uploads.files import lot_wafers
from tests.tiny_model import build_tiny_model
from waferscope.io.json_wafer import json_wafer_row
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings


@pytest.fixture
def settings(settings: Settings, tmp_path: Any) -> Settings:
    """A house with a small model."""
    return settings.model_copy(update={"model": build_tiny_model(tmp_path / "tiny.onnx")})


def upload(client: TestClient, count: int = 3, lot: str = "L7") -> str:
    """Send a lot and return its id."""
    lines = b",".join(json_wafer_row(wafer) for wafer in lot_wafers(count, lot))
    asked = {"predict": "false", "file_name": "lot.json"}
    sent = client.post("/uploads", content=b"[" + lines + b"]", params=asked)
    assert sent.status_code == 201, sent.text
    wafer_id = sent.json()["wafers"][0]["id"]
    return str(client.get(f"/wafers/{wafer_id}").json()["lot_id"])


def test_counts_over_wafers(people: People, house: Parts) -> None:
    user = add_person(house, "annotator").id
    add_wafer(
        house,
        user,
        yield_share=0.8,
        labels={"Loc": "pattern", "particle": "class"},
        severity=80.0,
        severity_level="critical",
    )
    add_wafer(house, user, yield_share=0.6, labels={"Loc": "pattern"}, severity_level="low")
    add_wafer(house, user, dies=0, fails=0, yield_share=0.0)
    add_wafer(house, user, lot="L2", product="P2")
    admin = people("admin")
    gone = add_wafer(house, user, yield_share=0.1)
    admin.delete(f"/wafers/{gone}")
    listed = admin.get("/lots").json()["items"]
    assert [lot["name"] for lot in listed] == ["L2", "L1"]
    lot = admin.get(f"/lots/{listed[1]['id']}").json()
    assert lot == listed[1]
    assert (lot["wafers"], lot["predicted"], lot["dies"], lot["fails"]) == (3, 2, 152, 14)
    assert lot["mean_yield"] == pytest.approx(0.7)
    assert lot["worst_severity"] == 80
    assert lot["severity_levels"] == {"critical": 1, "low": 1}
    assert lot["patterns"] == {"Loc": 2}
    assert lot["classes"] == {"particle": 1}


def test_lists_are_filtered_and_cut_into_pages(people: People, house: Parts) -> None:
    user = add_person(house, "annotator").id
    for number in range(5):
        add_wafer(house, user, lot=f"LOT{number}", product=f"P{number % 2}")
    one = people("viewer")
    names: list[str] = []
    cursor = ""
    while cursor is not None:
        page = one.get("/lots", params={"limit": 2, "cursor": cursor}).json()
        names += [lot["name"] for lot in page["items"]]
        cursor = page["next"]
    assert names == [f"LOT{number}" for number in range(4, -1, -1)]
    found = one.get("/lots", params={"product": "P1", "text": "lot3"}).json()["items"]
    assert [lot["name"] for lot in found] == ["LOT3"]


def test_a_lot_of_which_all_is_deleted_is_not_listed(people: People, house: Parts) -> None:
    wafer_id = add_wafer(house, add_person(house, "annotator").id)
    admin = people("admin")
    (lot,) = admin.get("/lots").json()["items"]
    admin.delete(f"/wafers/{wafer_id}")
    assert admin.get("/lots").json()["items"] == []
    shown = admin.get(f"/lots/{lot['id']}").json()
    assert (shown["wafers"], shown["mean_yield"]) == (0, None)
    assert admin.get(f"/lots/{lot['id']}/report").status_code == 404
    assert admin.get(f"/lots/{lot['id']}/stack").status_code == 404


def test_wafers_come_in_the_order_of_the_file(people: People) -> None:
    one = people("annotator")
    lot_id = upload(one, 5)
    first = one.get(f"/lots/{lot_id}/wafers", params={"limit": 3}).json()
    rest = one.get(f"/lots/{lot_id}/wafers", params={"cursor": first["next"]}).json()
    names = [wafer["name"] for wafer in first["items"] + rest["items"]]
    assert names == [wafer.wafer_id for wafer in lot_wafers(5)]


def test_the_stack_of_a_lot(people: People) -> None:
    one = people("annotator")
    lot_id = upload(one, 3)
    upload(one, 2, "L8")
    stack = one.get(f"/lots/{lot_id}/stack").json()
    fails = sum((wafer.dies == 2).astype(int) for wafer in lot_wafers(3))
    assert stack["wafers"] == 3
    assert stack["fails"] == np.asarray(fails).tolist()
    drawn = one.get(f"/lots/{lot_id}/stack.png", params={"side": 32})
    assert Image.open(io.BytesIO(drawn.content)).size == (32, 32)


def test_the_report_of_a_lot(people: People) -> None:
    lot_id = upload(people("annotator"), 3)
    viewer = people("viewer")
    report = viewer.get(f"/lots/{lot_id}/report")
    assert report.status_code == 200, report.text
    assert "Lot L7" in report.text
    assert "tiny-1" in report.text
    assert "sandbox" in report.headers["Content-Security-Policy"]
    tag = {"If-None-Match": report.headers["ETag"]}
    again = viewer.get(f"/lots/{lot_id}/report", headers=tag)
    assert again.status_code == 304
    for name in ("Content-Security-Policy", "ETag"):  # a browser puts them on the page it kept
        assert again.headers[name] == report.headers[name]
    assert viewer.get("/predictions").json()["items"] == []  # nothing is kept of it


def test_names_in_a_report_are_no_code(people: People) -> None:
    lot_id = upload(people("annotator"), 1, "<script>alert(1)</script>")
    assert "<script>alert" not in people("viewer").get(f"/lots/{lot_id}/report").text


@pytest.mark.parametrize("path", ["", "/wafers", "/stack", "/stack.png", "/report"])
def test_unknown_lots(people: People, path: str) -> None:
    assert people("viewer").get(f"/lots/lot_nothing{path}").status_code == 404
