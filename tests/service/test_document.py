"""The OpenAPI document on errors: what it says, and that real answers are as it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from schemathesis.core.failures import Failure, FailureGroup

from tests.service.conftest import PASSWORD, People
from tests.service.test_architecture import authorities, routes
from waferscope.service.document import MORE, TOLD, describe_errors
from waferscope.service.errors import PROBLEM
from waferscope.service.settings import Settings

REF = {"$ref": "#/components/schemas/Problem"}


@pytest.fixture
def operations(api: FastAPI) -> dict[str, dict[str, Any]]:
    """What the document says of each route, by method and path."""
    paths = api.openapi()["paths"].items()
    return {f"{verb.upper()} {path}": told for path, verbs in paths for verb, told in verbs.items()}


def test_every_error_is_a_problem(operations: dict[str, dict[str, Any]]) -> None:
    for name, told in operations.items():
        for status, answer in told["responses"].items():
            if status >= "400" and (name, status) != ("GET /api/v1/ready", "503"):
                assert answer["content"] == {PROBLEM: {"schema": REF}}, f"{name}: {status}"
    assert sum("422" in told["responses"] for told in operations.values()) > 60


def test_nothing_is_left_of_the_errors_of_the_framework(api: FastAPI) -> None:
    assert "ValidationError" not in str(api.openapi())
    assert "FaultyField" in api.openapi()["components"]["schemas"]


def test_closed_routes_alone_ask_who_it_is(
    api: FastAPI, operations: dict[str, dict[str, Any]]
) -> None:
    for name, needs in routes(api):
        told = {status for status in ("401", "403") if status in operations[name]["responses"]}
        if list(authorities(needs)):
            assert told == {"401", "403"}, name
        else:
            assert told == {str(status) for status in MORE.get(name, ()) if status in (401, 403)}


def test_the_table_has_no_row_for_nothing(operations: dict[str, dict[str, Any]]) -> None:
    assert set(MORE) <= set(operations)
    assert {status for row in MORE.values() for status in row} <= set(TOLD)


def test_what_may_be_asked_without_end_says_no_word_of_it(
    operations: dict[str, dict[str, Any]],
) -> None:
    assert set(operations["GET /api/v1/health"]["responses"]) == {"200"}
    assert "503" not in operations["GET /api/v1/metrics"]["responses"]
    wait = operations["GET /api/v1/wafers"]["responses"]["429"]["headers"]["Retry-After"]
    assert wait["schema"] == {"type": "integer"}


def test_describing_twice_changes_nothing(api: FastAPI) -> None:
    before = str(api.openapi())
    assert str(describe_errors(api.openapi)) == before


def _taken(client: TestClient, admin: TestClient) -> Any:
    admin.post("/users", json={"name": "ada", "password": PASSWORD})
    return admin.post("/users", json={"name": "ada", "password": PASSWORD})


def _too_often(client: TestClient, admin: TestClient) -> Any:
    wrong = {"name": "nobody", "password": PASSWORD}
    return [client.post("/auth/login", json=wrong) for _ in range(6)][-1]


def _cut_form(client: TestClient, admin: TestClient) -> Any:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    return admin.post("/uploads", content=b"--x\r\nnot a header", headers=form)


SAMPLES: dict[tuple[str, int], Callable[[TestClient, TestClient], Any]] = {
    ("POST /api/v1/uploads", 400): _cut_form,
    ("GET /api/v1/wafers", 401): lambda client, admin: client.get("/wafers"),
    ("GET /api/v1/users", 403): lambda client, admin: client.get("/users"),
    ("GET /api/v1/wafers/{wafer_id}", 404): lambda client, admin: admin.get("/wafers/none"),
    ("POST /api/v1/users", 409): _taken,
    ("POST /api/v1/causes", 413): lambda client, admin: admin.post("/causes", content=b" " * 9999),
    ("POST /api/v1/causes", 422): lambda client, admin: admin.post("/causes", json={"wafer_id": 3}),
    ("GET /api/v1/wafers", 422): lambda client, admin: admin.get("/wafers?cursor=x"),
    ("POST /api/v1/auth/login", 429): _too_often,
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_body_mb": 0.005})


@pytest.mark.parametrize(("name", "status"), SAMPLES)
def test_a_real_error_is_as_the_document_says(
    api: FastAPI, client: TestClient, people: People, name: str, status: int
) -> None:
    document = api.openapi()
    verb, path = name.split(" ")
    asking = people("viewer") if status == 403 else client
    answer = SAMPLES[name, status](asking, people("admin"))
    assert answer.status_code == status, answer.text
    told = document["paths"][path][verb.lower()]["responses"][str(status)]
    assert list(told["content"]) == [answer.headers["Content-Type"]]
    schemathesis.openapi.from_dict(document)[path][verb].validate_response(answer)
    assert set(answer.json()) <= set(document["components"]["schemas"]["Problem"]["properties"])
    assert ("Retry-After" in answer.headers) == ("Retry-After" in told.get("headers", {}))


def test_another_shape_would_be_noticed(api: FastAPI, people: People) -> None:
    operation = schemathesis.openapi.from_dict(api.openapi())["/api/v1/wafers"]["GET"]
    answer = people("viewer").get("/wafers?cursor=x")
    changed = httpx2.Response(
        answer.status_code,
        headers={"Content-Type": PROBLEM},
        json={**answer.json(), "detail": []},
        request=answer.request,
    )
    changed.elapsed = answer.elapsed
    with pytest.raises((Failure, FailureGroup)):
        operation.validate_response(changed)
