"""Whether it lives, is ready, and what it counted."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

import waferscope
from tests.service.conftest import People
from waferscope.errors import UnavailableError
from waferscope.service.app import build_app
from waferscope.service.engine import Engine
from waferscope.service.jobs.store import check_in
from waferscope.service.parts import Parts
from waferscope.service.queue import Job
from waferscope.service.settings import Settings
from waferscope.service.tables.row import now


def test_it_lives(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "version": waferscope.__version__}


def test_each_part_is_named_and_a_missing_worker_is_no_obstacle(
    client: TestClient, house: Parts
) -> None:
    answer = client.get("/ready")
    parts = {part["name"]: part for part in answer.json()["parts"]}
    assert set(parts) == {"database", "blobs", "cache", "model", "worker"}
    assert answer.status_code == 200
    assert [name for name, part in parts.items() if not part["ok"]] == ["worker"]
    with house.records.writing() as session:
        check_in(session, "w1", "here", 1, now())
    parts = {part["name"]: part["ok"] for part in client.get("/ready").json()["parts"]}
    assert all(parts.values())


def test_without_a_database_it_is_not_ready(
    client: TestClient, house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise UnavailableError("gone")

    monkeypatch.setattr(house.records, "ping", fail)
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    database = answer.json()["parts"][0]
    assert (database["name"], database["ok"], database["detail"]) == ("database", False, "gone")


def test_with_a_damaged_model_it_is_not_ready_and_predicts_nothing(
    client: TestClient, people: People, house: Parts, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "junk.onnx"
    path.write_bytes(b"no model")
    engine = Engine(house.figures, path)
    cast(FastAPI, client.app).state.parts = Parts(**{**vars(house), "engine": engine})
    ready = client.get("/ready")
    assert ready.json()["ready"] is False
    wafer = {"dies": [[1, 1], [1, 2]]}
    predicted = people("viewer").post("/predict", json={"wafers": [wafer]})
    for answer in (ready, predicted):
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"] == "5"
        assert "junk.onnx" in answer.text
        assert str(tmp_path) not in answer.text
    engine.close()


def test_requests_and_jobs_are_counted(client: TestClient, people: People, house: Parts) -> None:
    people("viewer").get("/auth/me")
    client.get("/auth/me")
    with house.records.writing() as session:
        house.queue.ask(session, Job("deliver_webhook", ("dlv_none", 1)))
    text = client.get("/metrics").text
    assert 'waferscope_requests_total{method="GET",route="/auth/me",status="200"} 1.0' in text
    assert 'waferscope_requests_total{method="GET",route="/auth/me",status="401"} 1.0' in text
    assert "waferscope_queue_jobs 1.0" in text
    assert 'waferscope_jobs{state="ENQUEUED"} 1.0' in text


def test_figures_may_be_behind_a_token(settings: Settings, house: Parts) -> None:
    closed = settings.model_copy(update={"metrics_token": SecretStr("let me see")})
    parts = Parts(**{**vars(house), "settings": closed})
    with TestClient(build_app(closed, parts), base_url="http://testserver/api/v1") as client:
        assert client.get("/metrics").status_code == 401
        token = {"Authorization": "Bearer let me see"}
        assert client.get("/metrics", headers=token).status_code == 200


def test_what_anybody_may_ask_is_limited_by_address_but_for_the_life_sign(
    settings: Settings, house: Parts
) -> None:
    few = settings.model_copy(update={"rate_address": "2/minute"})
    parts = Parts(**{**vars(house), "settings": few})
    with TestClient(build_app(few, parts), base_url="http://testserver/api/v1") as client:
        answers = [client.get(path).status_code for path in ("/ready", "/metrics", "/ready")]
        assert answers == [200, 200, 429]
        assert {client.get("/health").status_code for _ in range(5)} == {200}
