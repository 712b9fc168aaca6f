"""Batches over HTTP: asked for, followed, cancelled, fetched, by those whose they are."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from pycocotools import mask as coco_mask

from tests.service.conftest import People
from tests.service.jobs.conftest import eventually, working
from tests.service.stored import make_wafer, store_wafers
from waferscope.domain.masks import rle_to_mask
from waferscope.service.parts import Parts
from waferscope.service.tables import Wafer
from waferscope.service.upkeep.check import check

FORMATS = ["csv", "parquet", "json", "coco", "zip"]
MARK = ["position", "wafer_map_id", "prediction_id"]


def stored(client: TestClient, house: Parts, count: int = 2) -> list[str]:
    user_id = str(client.get("/auth/me").json()["id"])
    return store_wafers(house, user_id, [make_wafer(seed) for seed in range(count)])


def ask(client: TestClient, ids: list[str], **more: Any) -> dict[str, Any]:
    answer = client.post("/predict/batch", json={"wafer_map_ids": ids, **more})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ended(client: TestClient, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(client.get(f"/predict/batch/{batch_id}").json())
        return found["state"] not in ("queued", "running")

    eventually(over, 180)
    return found


def test_a_batch_is_done_and_its_files_are_fetched(people: People, house: Parts) -> None:
    client = people("annotator")
    ids = stored(client, house, 3)
    batch = ask(client, [*ids, "waf_none"], formats=FORMATS, threshold=0.4)
    assert (batch["state"], batch["progress"], batch["eta_seconds"]) == ("queued", 0, None)
    with working(house):
        batch = ended(client, batch["id"])
    assert batch["state"] == "done", batch
    assert (batch["done"], batch["failed"], batch["progress"]) == (3, 1, 1)
    assert batch["results"] == sorted([*FORMATS, "failures"])
    path = f"/predict/batch/{batch['id']}"
    files = {name: client.get(f"{path}/results/{name}") for name in batch["results"]}
    assert {answer.status_code for answer in files.values()} == {200}
    assert "attachment" in files["csv"].headers["Content-Disposition"]
    answer = client.post(
        "/predict",
        params={"threshold": 0.4, "polygons": True},
        json={"wafer_map_ids": ids},
    )
    wanted = [one["prediction"] for one in answer.json()["predictions"]]
    items = client.get(f"{path}/wafers", params={"state": "done"}).json()["items"]
    marks = [{name: one[name] for name in MARK} for one in items]
    records = files["json"].json()
    assert [{name: one.pop(name) for name in MARK} for one in records] == marks
    assert records == wanted
    rows = list(csv.DictReader(io.StringIO(files["csv"].text)))
    assert [{name: one[name] for name in MARK} for one in rows] == [
        {name: str(value) for name, value in one.items()} for one in marks
    ]
    assert [one["wafer_id"] for one in rows] == [one["wafer"]["wafer_id"] for one in wanted]
    assert pq.read_table(io.BytesIO(files["parquet"].content)).select(MARK).to_pylist() == marks
    check_coco(files["coco"].json(), wanted)
    with zipfile.ZipFile(io.BytesIO(files["zip"].content)) as archive:
        names = archive.namelist()
        assert archive.read(names[0]).startswith(b"\x89PNG")
        assert archive.read("results.csv") == files["csv"].content
        assert archive.read("failures.csv") == files["failures"].content
    assert [name.rsplit("_", 1)[1] for name in names[:3]] == [f"W000{n}.png" for n in range(3)]
    assert "waf_none" in files["failures"].text
    failed = client.get(f"{path}/wafers", params={"state": "failed"}).json()["items"]
    assert [(one["position"], one["wafer_map_id"]) for one in failed] == [(3, "waf_none")]


def check_coco(coco: dict[str, Any], wanted: list[dict[str, Any]]) -> None:
    """The annotations of each image, read by the standard's own library, make the masks."""
    assert [image["id"] for image in coco["images"]] == [1, 2, 3]
    assert [one["id"] for one in coco["annotations"]] == list(
        range(1, len(coco["annotations"]) + 1)
    )
    for image, record in zip(coco["images"], wanted, strict=True):
        drawn = [one for one in coco["annotations"] if one["image_id"] == image["id"]]
        dies = sum(int(coco_mask.decode(one["segmentation"]).sum()) for one in drawn)
        marked = sum(int(rle_to_mask(mask).sum()) for mask in record["masks"].values())
        assert dies == sum(defect["die_count"] for defect in record["defects"]) <= marked


def test_viewers_do_not_order_and_strangers_do_not_look(people: People, house: Parts) -> None:
    owner, other, admin = people("annotator"), people("annotator"), people("admin")
    ids = stored(owner, house)
    assert people("viewer").post("/predict/batch", json={"wafer_map_ids": ids}).status_code == 403
    batch_id = ask(owner, ids)["id"]
    path = f"/predict/batch/{batch_id}"
    for method, tail in (
        ("GET", ""),
        ("GET", "/wafers"),
        ("GET", "/results/csv"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ):
        assert other.request(method, f"{path}{tail}").status_code == 404
    assert other.get("/predict/batch").json()["items"] == []
    assert [one["id"] for one in admin.get("/predict/batch").json()["items"]] == [batch_id]
    assert admin.get(path).status_code == 200


def test_a_cancelled_batch_never_begins(people: People, house: Parts) -> None:
    client = people("annotator")
    path = f"/predict/batch/{ask(client, stored(client, house))['id']}"
    assert client.delete(path).status_code == 409
    cancelled = client.post(f"{path}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert client.post(f"{path}/cancel").status_code == 409
    assert house.queue.state(path.rsplit("/", 1)[1]) == "CANCELLED"
    assert client.get(f"{path}/results/csv").status_code == 404
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("forget", [False, True], ids=["kept", "deleted"])
def test_a_batch_cancelled_while_its_files_are_put_leaves_none(
    people: People, house: Parts, monkeypatch: pytest.MonkeyPatch, forget: bool
) -> None:
    client = people("annotator")
    batch_id = ask(client, stored(client, house), formats=["csv", "json"])["id"]
    path, put = f"/predict/batch/{batch_id}", house.blobs.put_file
    answers: list[int] = []

    def cancelled_meanwhile(name: str, file: Path) -> None:
        put(name, file)
        if not answers:
            answers.append(client.post(f"{path}/cancel").status_code)
            if forget:
                answers.append(client.delete(path).status_code)

    monkeypatch.setattr(house.blobs, "put_file", cancelled_meanwhile)
    with working(house):
        eventually(lambda: house.queue.state(batch_id) == "SUCCESS", 60)
    assert answers == [200, 204][: 1 + forget]
    assert client.get(path).status_code == (404 if forget else 200)
    assert check(house, young=timedelta(0)).is_sound
    assert list(house.blobs.names("exports")) == []


def test_a_deleted_batch_leaves_no_files(people: People, house: Parts) -> None:
    client = people("annotator")
    batch_id = ask(client, stored(client, house, 1))["id"]
    with working(house):
        assert ended(client, batch_id)["results"] == ["csv"]
    assert len(list(house.blobs.names("exports"))) == 1
    assert client.delete(f"/predict/batch/{batch_id}").status_code == 204
    assert list(house.blobs.names("exports")) == []
    assert len(client.get("/predictions").json()["items"]) == 1


def test_a_repeated_order_is_one_batch(people: People, house: Parts) -> None:
    client = people("annotator")
    ids = stored(client, house)
    key = {"Idempotency-Key": "night-7"}
    answers = [
        client.post("/predict/batch", json={"wafer_map_ids": ids}, headers=key) for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(client.get("/predict/batch").json()["items"]) == 1


def test_whole_lots_are_ordered(people: People, house: Parts) -> None:
    client = people("annotator")
    ids = stored(client, house, 4)
    with house.records.reading() as session:
        lot_id = session.get_one(Wafer, ids[0]).lot_id
    answer = client.post("/predict/batch", json={"lot_ids": [lot_id]})
    assert (answer.status_code, answer.json()["total"]) == (202, 4)
    refused = client.post("/predict/batch", json={"lot_ids": [lot_id, "lot_none"]})
    assert refused.status_code == 404
    assert "lot_none" in refused.json()["detail"]
    assert lot_id not in refused.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"wafer_map_ids": ["a", "a"]}, {"lot_ids": []}])
def test_an_unclear_order_is_a_problem(people: People, body: dict[str, Any]) -> None:
    answer = people("annotator").post("/predict/batch", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["type"] == "urn:waferscope:error:InputError"
