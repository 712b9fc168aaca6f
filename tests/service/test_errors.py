"""Every error as an answer: one shape, one table of statuses."""

from __future__ import annotations

import inspect
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import exc

from tests.service.conftest import PASSWORD, add_person
from waferscope import errors
from waferscope.errors import WaferScopeError
from waferscope.service.app import build_app
from waferscope.service.errors import FAULT, STATUS, problem_of, status_of
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.telemetry import set_up_logging

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
EXPECTED = {
    "InputError": 422,
    "WaferError": 422,
    "FormatError": 422,
    "IdentityError": 401,
    "RightsError": 403,
    "NotFoundError": 404,
    "ConflictError": 409,
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
    with TestClient(faulty) as client:
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


class TestLog:
    """What is logged of an error: its cause, and nothing that a caller sent."""

    @pytest.fixture
    def log(self) -> Iterator[io.StringIO]:
        """What a process writes to its log."""
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        set_up_logging()
        written = io.StringIO()
        for handler in root.handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(written)
        yield written
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()

    @pytest.fixture
    def stuck(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
        """A client of a house whose database is busy for writers."""

        def fail(*_: object, **__: object) -> None:
            raise exc.OperationalError("BEGIN", {}, Exception("it is locked\nROW: x"))

        for call in ("execute", "scalar", "scalars"):
            monkeypatch.setattr(f"sqlalchemy.orm.Session.{call}", fail)
        return client

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/auth/login", {"name": "fab-7-admin", "password": PASSWORD}),
            ("/auth/refresh", {"refresh_token": PASSWORD}),
        ],
    )
    def test_a_busy_database_is_one_line_without_what_was_sent(
        self, stuck: TestClient, log: io.StringIO, path: str, body: dict[str, str]
    ) -> None:
        assert stuck.post(path, json=body).status_code == 503
        text = log.getvalue()
        assert not [secret for secret in body.values() if secret in text]
        told = [line for line in text.splitlines() if "UnavailableError" in line]
        assert len(told) == 1
        assert len(told[0]) < 1000
        line = json.loads(told[0])
        assert "it is locked" in line["cause"]
        assert "ROW" not in told[0]
        assert "exception" not in line

    def test_a_fault_is_one_line_without_who_asked(
        self, faulty: FastAPI, house: Parts, log: io.StringIO
    ) -> None:
        person = add_person(house, "viewer")
        with TestClient(faulty) as client:
            answer = client.get("/fault", headers={**person.headers, "Cookie": f"a={PASSWORD}"})
        assert answer.status_code == 500
        text = log.getvalue()
        assert not [secret for secret in (person.token, PASSWORD) if secret in text]
        (told,) = (line for line in text.splitlines() if "ZeroDivisionError" in line)
        assert len(told) < 10_000
        line = json.loads(told)
        assert line["request_id"] == answer.headers["X-Request-ID"]
        assert line["exception"][0]["frames"][-1].endswith(" fault")
