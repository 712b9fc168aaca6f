"""Every error as an answer: one shape, one table of statuses."""

from __future__ import annotations

import inspect
import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from waferscope import errors
from waferscope.errors import WaferScopeError
from waferscope.service.app import build_app
from waferscope.service.errors import FAULT, STATUS, problem_of, status_of
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
EXPECTED = {
    "InputError": 422,
    "WaferError": 422,
    "FormatError": 422,
    "IdentityError": 401,
    "RightsError": 403,
    "NotFoundError": 404,
    "ConflictError": 409,
    "StaleError": 412,
    "SizeError": 413,
    "RateError": 429,
    "UnavailableError": 503,
    "FullError": 507,
    "WaferScopeError": 500,
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind: type[WaferScopeError]) -> None:
    assert 400 <= status_of(kind("x")) < 600
    if kind.__name__ in EXPECTED:
        assert status_of(kind("x")) == EXPECTED[kind.__name__]


def test_the_table_has_no_row_for_nothing() -> None:
    assert set(STATUS) <= set(CLASSES)


def test_an_answer_has_the_fields_of_the_standard() -> None:
    answer = problem_of(errors.RateError("slower", retry_after=7), "/here")
    body = json.loads(bytes(answer.body))
    assert answer.media_type == "application/problem+json"
    assert answer.headers["Retry-After"] == "7"
    assert (body["status"], body["title"]) == (429, "Too Many Requests")
    assert (body["detail"], body["instance"]) == ("slower", "/here")
    assert body["type"] == "urn:waferscope:error:RateError"


def test_what_went_wrong_inside_is_not_told() -> None:
    answer = problem_of(WaferScopeError("the password of the database is x"), "/")
    assert json.loads(bytes(answer.body))["detail"] == FAULT


@pytest.fixture
def faulty(settings: Settings, house: Parts) -> FastAPI:
    app = build_app(settings, house)

    @app.get("/fault")
    def fault() -> None:
        raise ZeroDivisionError("secret detail")

    @app.post("/taken")
    def taken(body: dict[str, int]) -> dict[str, int]:
        return body

    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "about:blank"),
        ("DELETE", "/taken", 405, "about:blank"),
        ("GET", "/fault", 500, "about:blank"),
        ("POST", "/taken", 422, "urn:waferscope:error:InputError"),
        ("GET", "/api/v1/auth/me", 401, "urn:waferscope:error:IdentityError"),
    ],
)
def test_whatever_happens_the_shape_is_one(
    faulty: FastAPI, method: str, path: str, status: int, kind: str
) -> None:
    with TestClient(faulty, raise_server_exceptions=False) as client:
        answer = client.request(method, path, headers={"X-Request-ID": "r1"})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(body)
    assert (body["type"], body["instance"], body["request_id"]) == (kind, path, "r1")
    assert "secret detail" not in answer.text


def test_faulty_fields_are_named(faulty: FastAPI) -> None:
    with TestClient(faulty) as client:
        answer = client.post("/taken", json={"a": "x"})
        broken = client.post("/taken", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.json()["errors"][0]["where"] == ["body", "a"]
    assert broken.status_code == 422
