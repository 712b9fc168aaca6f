"""Uploads: taken in whole, each wafer once, the file kept; who may; what is answered."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People
from tests.service.stored import make_wafer
from tests.service.uploads.files import archive, lot_wafers, stdf, stdf_lot
from waferscope.io import read
from waferscope.io.json_wafer import json_wafer_row
from waferscope.service.parts import Parts
from waferscope.service.wafer_file import unpack_wafer


def send(client: TestClient, data: bytes, **asked: Any) -> Any:
    asked = {"file_name": "lot7.stdf", "predict": False, **asked}
    return client.post("/uploads", content=data, params=asked)


def made(client: TestClient, data: bytes, **asked: Any) -> dict[str, Any]:
    answer = send(client, data, **asked)
    assert answer.status_code in (200, 201), answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_raw_file_becomes_wafers(people: People, house: Parts) -> None:
    data = stdf_lot(3)
    answer = send(people("annotator"), data)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["wafers_new"], body["wafers_known"], body["repeated"]) == (3, 0, False)
    assert (body["format"], body["size"], body["file_name"]) == ("stdf", len(data), "lot7.stdf")
    assert [w["name"] for w in body["wafers"]] == [w.wafer_id for w in lot_wafers(3)]
    assert len({w["id"] for w in body["wafers"]}) == 3
    truth = read(data)
    names = list(house.blobs.names("wafers"))
    stored = [unpack_wafer(house.blobs.get(name)) for name in names]
    assert len(stored) == 3
    for wafer in truth:
        (same,) = [one for one in stored if one.wafer_id == wafer.wafer_id]
        assert (same.dies == wafer.dies).all()
        assert same.frame == wafer.frame


def test_a_form_does_as_well(people: People) -> None:
    one = people("annotator")
    files = {"file": ("night run 7.stdf", stdf_lot(2))}
    answer = one.post("/uploads", files=files, params={"predict": False})
    assert answer.status_code == 201, answer.text
    assert answer.json()["wafers_new"] == 2
    fetched = one.get(f"/uploads/{answer.json()['id']}/file")
    assert fetched.content == files["file"][1]
    assert "attachment" in fetched.headers["Content-Disposition"]


def test_the_same_file_again_is_the_same_upload(people: People, house: Parts) -> None:
    first = made(people("annotator"), stdf_lot(2))
    answer = send(people("annotator"), stdf_lot(2), file_name="copy.stdf")
    assert answer.status_code == 200
    again = answer.json()
    assert again["repeated"]
    assert {**again, "repeated": False} == first
    assert len(list(house.blobs.names("uploads"))) == 1


def test_a_wafer_is_known_by_its_content_in_any_file(people: People, house: Parts) -> None:
    one = people("annotator")
    first = made(one, stdf_lot(3))
    second = made(one, stdf(lot_wafers(3) + lot_wafers(2, first=3)), file_name="longer.stdf")
    assert (second["wafers_new"], second["wafers_known"]) == (2, 3)
    assert [w["id"] for w in second["wafers"][:3]] == [w["id"] for w in first["wafers"]]
    assert [w["known"] for w in second["wafers"]] == [True] * 3 + [False] * 2
    assert len(list(house.blobs.names("wafers"))) == 5
    listed = one.get(f"/uploads/{second['id']}/wafers", params={"limit": 2}).json()
    assert [w["position"] for w in listed["items"]] == [0, 1]
    rest = one.get(f"/uploads/{second['id']}/wafers", params={"cursor": listed["next"]}).json()
    assert [w["position"] for w in rest["items"]] == [2, 3, 4]


def test_a_wafer_twice_in_a_file_is_one_wafer(people: People) -> None:
    line = json_wafer_row(make_wafer(1))
    body = made(people("annotator"), b"[" + line + b"," + line + b"]")
    assert (body["wafers_new"], body["wafers_known"]) == (1, 1)
    assert body["wafers"][0]["id"] == body["wafers"][1]["id"]
    assert [w["known"] for w in body["wafers"]] == [False, True]


def test_wafers_alike_in_their_dies_are_not_the_same(people: People) -> None:
    lines = [json_wafer_row(make_wafer(1, wafer_id=f"W{number}")) for number in range(3)]
    body = made(people("annotator"), b"[" + b",".join(lines) + b"]")
    assert body["wafers_new"] == 3


def test_what_of_an_archive_cannot_be_read_is_named(people: People) -> None:
    one = people("annotator")
    packed = archive(a_stdf=stdf_lot(2), b_stdf=stdf_lot(2, "L8")[:40], c_txt=b"hello there")
    body = made(one, packed, file_name="night.zip")
    assert body["wafers_new"] == 2
    assert [f["name"] for f in body["failures"]] == ["night.zip:b.stdf", "night.zip:c.txt"]
    assert all("Expected" in f["detail"] for f in body["failures"])
    assert one.get(f"/uploads/{body['id']}").json()["failures"] == body["failures"]
    refused = send(one, packed, file_name="night.zip", strict=True)
    assert refused.status_code == 422
    assert "b.stdf" in refused.json()["detail"]


def test_what_the_file_does_not_say_can_be_said(people: People, house: Parts) -> None:
    line = json_wafer_row(make_wafer(1, lot_id=None))
    one = people("annotator")
    body = made(one, line, lot="L9", product="P2", step="probe", tester="T4")
    assert body["wafers"][0]["lot"] == "L9"
    (name,) = house.blobs.names("wafers")
    kept = unpack_wafer(house.blobs.get(name))
    assert (kept.lot_id, kept.product, kept.step, kept.tester) == ("L9", "P2", "probe", "T4")
    other = made(one, line, lot="L10")
    assert other["wafers_new"] == 1  # another lot: another wafer


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"format": "lswmd"}, "format"),
        ({"columns": "x"}, "columns"),
        ({"retests": "best"}, "retests"),
        ({"typo": 1}, "typo"),
        ({"min_defect_um": -1}, "min_defect_um"),
    ],
)
def test_wrong_words_are_refused(people: People, asked: dict[str, Any], words: str) -> None:
    answer = send(people("annotator"), stdf_lot(1), **asked)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_options_reach_the_reader(people: People) -> None:
    table = b"DIE_X,DIE_Y,HB\n0,0,1\n1,0,5\n0,1,2\n1,1,5\n"
    columns = ["x=DIE_X", "y=DIE_Y", "bin=HB"]
    one = people("annotator")
    body = made(one, table, file_name="w.csv", columns=columns, pass_bins=[1, 5])
    other = made(one, table, file_name="w.csv", columns=columns)
    assert body["wafers_new"] == other["wafers_new"] == 1  # other bins pass: another wafer


def test_roles_and_lists(people: People, client: TestClient) -> None:
    sender, other = people("annotator"), people("annotator")
    mine = made(sender, stdf_lot(1))
    theirs = made(other, stdf_lot(1, "L8"))
    viewer = people("viewer")
    assert send(viewer, stdf_lot(1)).status_code == 403
    assert send(client, stdf_lot(1)).status_code == 401
    listed = viewer.get("/uploads").json()["items"]
    assert [one["id"] for one in listed] == [theirs["id"], mine["id"]]
    own = viewer.get("/uploads", params={"user_id": mine["user_id"]}).json()["items"]
    assert [one["id"] for one in own] == [mine["id"]]
    assert viewer.get(f"/uploads/{mine['id']}").json()["sha256"] == mine["sha256"]
    assert viewer.get("/uploads/upl_nothing").status_code == 404
    assert viewer.get("/uploads/upl_nothing/file").status_code == 404


def test_a_repeated_call_under_one_key_gets_the_first_answer(people: People) -> None:
    one, key = people("annotator"), {"Idempotency-Key": "night-7"}
    asked = {"predict": "false"}
    first = one.post("/uploads", content=stdf_lot(2), params=asked, headers=key)
    again = one.post("/uploads", content=stdf_lot(2), params=asked, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = one.post("/uploads", content=stdf_lot(1, "L8"), params=asked, headers=key)
    assert other.status_code == 409


def test_prediction_is_ordered_with_the_upload(people: People) -> None:
    one = people("annotator")
    body = made(one, stdf_lot(3), predict=True)
    batch = one.get(f"/predict/batch/{body['batch_id']}").json()
    assert (batch["state"], batch["total"]) == ("queued", 3)
    listed = one.get(f"/predict/batch/{body['batch_id']}/wafers").json()["items"]
    assert [item["wafer_map_id"] for item in listed] == [w["id"] for w in body["wafers"]]


def test_prediction_can_be_asked_for_later(people: People) -> None:
    one = people("annotator")
    assert made(one, stdf_lot(2))["batch_id"] is None
    again = made(one, stdf_lot(2), predict=True)
    assert again["repeated"]
    assert again["predicts"]
    assert one.get(f"/predict/batch/{again['batch_id']}").json()["total"] == 2
