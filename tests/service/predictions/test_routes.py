"""Predicting over HTTP: who may, in which ways, with which answers, and what is refused."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, make_url, select

from tests.service.conftest import People, add_person
from tests.service.gateway import gateway
from tests.service.stored import make_wafer, store_wafers
from waferscope.errors import UnavailableError
from waferscope.infer import Predictor, load_predictor
from waferscope.io import write
from waferscope.service.app import build_app
from waferscope.service.parts import Parts, open_parts
from waferscope.service.settings import Settings
from waferscope.service.tables import AuditEntry, Prediction

OUTAGE_S = 10
ROLES = ("viewer", "annotator", "engineer", "admin")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_predictor(threads=1)


def user_id(client: TestClient) -> str:
    return str(client.get("/auth/me").json()["id"])


def plain(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found


def kept(house: Parts) -> int:
    with house.records.reading() as session:
        return session.scalar(select(func.count()).select_from(Prediction)) or 0


@pytest.mark.parametrize("role", ROLES)
def test_everybody_predicts_without_keeping(
    people: People, house: Parts, predictor: Predictor, role: str
) -> None:
    client = people(role)
    wafer = make_wafer(4)
    ids = store_wafers(house, user_id(client), [wafer])
    answer = client.post("/predict", json={"wafer_map_ids": ids})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "model_version": predictor.model.version,
        "predictions": [
            {
                "wafer_map_id": ids[0],
                "prediction_id": None,
                "prediction": plain(predictor.predict(wafer).to_dict(polygons=False)),
            }
        ],
    }
    assert kept(house) == 0


def test_a_viewer_keeps_nothing(people: People, house: Parts) -> None:
    viewer = people("viewer")
    ids = store_wafers(house, user_id(viewer), [make_wafer(4)])
    refused = viewer.post("/predict", params={"store": True}, json={"wafer_map_ids": ids})
    assert refused.status_code == 403
    assert kept(house) == 0


def test_an_annotator_keeps_predictions(people: People, house: Parts) -> None:
    client = people("annotator")
    ids = store_wafers(house, user_id(client), [make_wafer(seed) for seed in range(2)])
    answers = [
        client.post("/predict", params={"store": True}, json={"wafer_map_ids": ids}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert kept(house) == 2
    with house.records.reading() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "predictions.store")
        ).all()
    assert {one.detail["wafer"] for one in entries} == set(ids)
    listed = client.get("/predictions", params={"wafer_map_id": ids[0]}).json()["items"]
    found = answers[0]["predictions"][0]
    assert [one["id"] for one in listed] == [found["prediction_id"]]
    assert listed[0]["severity"] == found["prediction"]["severity"]
    assert people("viewer").get(f"/predictions/{listed[0]['id']}").json() == found


def test_wafers_inline_and_files_say_the_same(people: People, tmp_path: Path) -> None:
    client = people("viewer")
    wafer = make_wafer(4, wafer_id="W4", lot_id="L1")
    write([wafer], tmp_path / "lot.parquet")
    content = (tmp_path / "lot.parquet").read_bytes()
    packed = base64.b64encode(wafer.dies.tobytes()).decode()
    names = {"wafer_id": "W4", "lot_id": "L1"}
    asked = [
        client.post("/predict", json={"wafers": [{"dies": wafer.dies.tolist(), **names}]}),
        client.post("/predict", json={"wafers": [{"dies": packed, "shape": wafer.shape, **names}]}),
        client.post(
            "/predict",
            params={"file_name": "lot.parquet"},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        ),
        client.post("/predict", files={"file": ("lot.parquet", content)}),
    ]
    found = []
    for answer in asked:
        assert answer.status_code == 200, answer.text
        (one,) = answer.json()["predictions"]
        found.append(one["prediction"])
    sources = [one["wafer"].pop("source") for one in found]
    assert all(one == found[0] for one in found)
    assert sources[:2] == [None, None]
    assert sources[2] == sources[3]
    assert (sources[2]["format"], sources[2]["name"]) == ("parquet", "lot.parquet")


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        ({"json": {"wafer_map_ids": ["waf_none"]}}, 404, "NotFoundError"),
        ({"json": {"wafers": [{"dies": [[3]]}]}}, 422, "WaferError"),
        ({"json": {"wafers": [{"dies": [[1]], "size": 1}]}}, 422, "InputError"),
        ({"json": {}}, 422, "InputError"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "InputError"),
        ({"content": b"BM", "headers": {"Content-Type": "image/bmp"}}, 422, "FormatError"),
        ({"files": {"file": ("a.pkl", b"\x80\x05cos\nsystem\n")}}, 422, "FormatError"),
        ({"files": {"other": ("a", b"x")}}, 422, "InputError"),
        ({"json": {"wafers": [{"dies": [[1]]}]}, "params": {"threshold": 2}}, 422, "InputError"),
        ({"json": {"wafers": [{"dies": [[1]]}]}, "params": {"model": "9"}}, 404, "NotFoundError"),
        ({"json": {"wafers": [{"dies": [[1]]}]}, "params": {"mask": "rle"}}, 422, "InputError"),
        ({"json": {"wafers": [{"dies": "AQ==" * 5, "shape": [1, 1]}]}}, 422, "WaferError"),
    ],
)
def test_bad_questions_are_problems(
    people: People, sent: dict[str, Any], status: int, kind: str
) -> None:
    answer = people("viewer").post("/predict", **sent)
    assert (answer.status_code, answer.json()["type"]) == (
        status,
        f"urn:waferscope:error:{kind}",
    ), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_json_is_held_to_the_limit_of_requests(people: People, house: Parts) -> None:
    digits = "1" * int(house.settings.max_body_mb * 1e6)
    answer = people("viewer").post("/predict", json={"wafers": [{"dies": [digits]}]})
    assert answer.status_code == 413


def test_an_answer_asked_for_again_comes_out_of_the_cache(people: People, house: Parts) -> None:
    client = people("viewer")
    body = {"wafers": [{"dies": make_wafer(4).dies.tolist()}]}
    first, again = (client.post("/predict", json=body) for _ in range(2))
    assert first.content == again.content
    assert first.headers["ETag"] == again.headers["ETag"]
    other = client.post("/predict", params={"polygons": True}, json=body)
    assert other.headers["ETag"] != first.headers["ETag"]
    reads = {
        sample.labels["found"]: sample.value
        for sample in next(iter(house.figures.cache_reads.collect())).samples
        if sample.name.endswith("_total")
    }
    assert reads == {"yes": 1, "no": 2}


def test_a_kept_prediction_is_sent_once(people: People, house: Parts) -> None:
    client = people("annotator")
    ids = store_wafers(house, user_id(client), [make_wafer(4)])
    asked = client.post("/predict", params={"store": True}, json={"wafer_map_ids": ids}).json()
    path = f"/predictions/{asked['predictions'][0]['prediction_id']}"
    first = client.get(path)
    tag = first.headers["ETag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    outlined = client.get(path, params={"polygons": True}, headers={"If-None-Match": tag})
    assert outlined.status_code == 200
    assert outlined.json()["prediction"]["defects"][0]["polygon"]["type"]
    assert client.get("/predictions/pred_none").status_code == 404


def test_the_list_goes_on_page_by_page(people: People, house: Parts) -> None:
    client = people("annotator")
    ids = store_wafers(house, user_id(client), [make_wafer(seed) for seed in range(5)])
    client.post("/predict", params={"store": True}, json={"wafer_map_ids": ids})
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = client.get("/predictions", params={"limit": 2, "cursor": cursor}).json()
        seen += [one["wafer_map_id"] for one in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == sorted(ids)
    assert client.get("/predictions", params={"severity_level": "huge"}).status_code == 422
    assert client.get("/predictions", params={"model": "none"}).json()["items"] == []


@pytest.mark.parametrize("backend", ["servers"], indirect=True)
def test_ten_seconds_without_a_database_are_said_and_survived(
    house: Parts, settings: Settings
) -> None:
    person = add_person(house, "annotator")
    ids = store_wafers(house, person.id, [make_wafer(4)])
    url = make_url(settings.records_url)
    body = {"wafer_map_ids": ids}
    with gateway(url.port or 0) as way:
        roundabout = url.set(port=way.port).render_as_string(hide_password=False)
        far = Settings(**settings.model_dump() | {"records_url": roundabout})
        app = build_app(far, open_parts(far))
        with TestClient(app, base_url="http://testserver/api/v1", headers=person.headers) as one:
            assert one.post("/predict", json=body).status_code == 200
            way.cut()
            end = time.monotonic() + OUTAGE_S
            while time.monotonic() < end:
                answer = one.post("/predict", json=body)
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
                time.sleep(1)
            way.mend()
            assert one.post("/predict", json=body).status_code == 200
            kept_now = one.post("/predict", params={"store": True}, json=body)
            assert kept_now.status_code == 200
    assert kept(house) == 1


def test_a_blob_store_that_is_away_is_said_and_nothing_is_kept(
    people: People, house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = people("annotator")
    ids = store_wafers(house, user_id(client), [make_wafer(4)])

    def away(*_: object) -> None:
        raise UnavailableError("The blob store cannot be reached. Try again.")

    for method in ("put", "get"):
        with monkeypatch.context() as patch:
            patch.setattr(house.blobs, method, away)
            answer = client.post("/predict", params={"store": True}, json={"wafer_map_ids": ids})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert "blob store" in answer.json()["detail"]
        assert kept(house) == 0
    answer = client.post("/predict", params={"store": True}, json={"wafer_map_ids": ids})
    assert answer.status_code == 200
    assert kept(house) == 1
