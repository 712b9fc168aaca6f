"""What surrounds every request: ids, headers, figures, and bodies that are too large."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from tests.service.conftest import People
from waferscope.service.app import build_app
from waferscope.service.middleware import LARGE
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_body_mb": 0.001, "max_upload_mb": 0.01})


def test_the_id_of_a_request_comes_back(client: TestClient) -> None:
    assert client.get("/health", headers={"X-Request-ID": "r-1"}).headers["X-Request-ID"] == "r-1"
    made = client.get("/health", headers={"X-Request-ID": "no good"}).headers["X-Request-ID"]
    assert made != "no good"


@pytest.mark.parametrize("path", ["/health", "/nothing", "/auth/me"])
def test_every_answer_guards_the_browser(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_loads_from_its_own_host_alone(client: TestClient, path: str) -> None:
    page = client.get("http://testserver" + path)
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "http" not in policy
    files = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    loaded = [file for file in files if file.endswith((".js", ".css"))]
    assert loaded
    for file in files:
        assert file.startswith("/"), file
    for file in loaded:
        answer = client.get("http://testserver" + file)
        assert answer.status_code == 200
        assert ("javascript" if file.endswith("js") else "css") in answer.headers["Content-Type"]


def chunks(size: int) -> Iterator[bytes]:
    yield from (b" " * 100 for _ in range(size // 100))


@pytest.mark.parametrize("path", ["/auth/login", "/wafers"])
def test_a_large_body_is_refused_by_its_announced_length(client: TestClient, path: str) -> None:
    answer = client.post(path, content=b" " * 1001, headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "WAFERSCOPE_MAX_BODY_MB" in answer.json()["detail"]


def test_a_large_body_is_refused_while_it_comes_in(client: TestClient) -> None:
    answer = client.post("/auth/login", content=chunks(2000), headers=JSON)
    assert answer.status_code == 413


def test_files_have_a_limit_of_their_own(people: People) -> None:
    raw = {"Content-Type": "application/octet-stream"}
    one = people("annotator")
    assert one.post("/predict", content=b"x" * 5000, headers=raw).status_code != 413
    assert one.post("/predict", content=b"x" * 10_001, headers=raw).status_code == 413


def routes_that_stream(api: FastAPI) -> set[tuple[str, str]]:
    return {
        (verb, route.path or "")
        for route in iter_route_contexts(api.routes)
        if isinstance(route.original_route, APIRoute)
        if "received(" in inspect.getsource(route.original_route.endpoint)
        for verb in route.methods or ()
    }


def test_the_limit_of_files_is_for_routes_that_write_them_to_disk(api: FastAPI) -> None:
    assert routes_that_stream(api) == set(LARGE)


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "multipart/form-data"])
def test_what_a_route_holds_in_memory_is_small(api: FastAPI, client: TestClient, kind: str) -> None:
    paths = api.openapi()["paths"]
    taking = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    assert ("POST", "/api/v1/predict/batch") in taking
    for verb, path in sorted(taking):
        address = "http://testserver" + path.replace("{", "").replace("}", "")
        for body in (b" " * 1001, chunks(2000)):
            answer = client.request(verb, address, content=body, headers={"Content-Type": kind})
            if (verb, path) in LARGE:
                assert answer.status_code == 401, path
            elif verb in {"POST", "PUT", "PATCH"} and isinstance(body, bytes):
                assert answer.status_code == 413, f"{verb} {path}"
            else:  # a route without a body reads none of it
                assert answer.status_code >= 200, path


def test_a_batch_is_refused_while_it_comes_in(client: TestClient) -> None:
    raw = {"Content-Type": "text/plain"}
    assert client.post("/predict/batch", content=chunks(2000), headers=raw).status_code == 413


def test_a_small_body_passes(client: TestClient) -> None:
    answer = client.post("/auth/login", json={"name": "a", "password": "b"})
    assert answer.status_code == 401


def test_methods_nobody_has_are_counted_as_one(client: TestClient) -> None:
    client.request("BREW", "/health")
    client.request("PROPFIND", "/nothing")
    text = client.get("/metrics").text
    assert 'method="OTHER",route="none",status="404"' in text
    assert "BREW" not in text


def with_faults(settings: Settings, house: Parts) -> FastAPI:
    """The app with a route that fails, and one that fails when its answer has begun."""
    app = build_app(settings, house)

    @app.get("/fault")
    def fault() -> None:
        raise ZeroDivisionError

    @app.get("/late")
    def late() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"begun"
            raise ZeroDivisionError

        return StreamingResponse(parts())

    return app


class TestFaults:
    @pytest.fixture
    def failing(self, settings: Settings, house: Parts) -> Iterator[TestClient]:
        with TestClient(with_faults(settings, house)) as one:
            yield one

    def test_a_fault_is_answered_as_all_else(self, failing: TestClient) -> None:
        answer = failing.get("/fault", headers={"X-Request-ID": "r-1"})
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "r-1"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"]
        assert failing.get("/api/v1/health").status_code == 200
        counted = failing.get("/api/v1/metrics").text
        assert 'route="/fault",status="500"} 1.0' in counted

    def test_an_answer_that_has_begun_is_cut_off(self, failing: TestClient) -> None:
        with pytest.raises(ZeroDivisionError):
            failing.get("/late")


class TestElsewhere:
    @pytest.fixture
    def allowed(self, settings: Settings, house: Parts) -> Iterator[TestClient]:
        open_to = settings.model_copy(update={"cors_origins": ("https://fab.example",)})
        with TestClient(build_app(open_to, house), base_url="http://testserver/api/v1") as one:
            yield one

    def test_only_named_origins_may_call(self, allowed: TestClient) -> None:
        for origin, expected in (("https://fab.example", True), ("https://evil.example", False)):
            answer = allowed.get("/health", headers={"Origin": origin})
            assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is expected

    def test_an_allowed_origin_may_read_every_header_that_says_something(
        self, allowed: TestClient, api: FastAPI
    ) -> None:
        origin = {"Origin": "https://fab.example"}
        exposed = allowed.get("/health", headers=origin).headers["Access-Control-Expose-Headers"]
        declared = {
            name
            for verbs in api.openapi()["paths"].values()
            for operation in verbs.values()
            for answer in operation["responses"].values()
            for name in answer.get("headers", {})
        }
        assert declared >= {"X-Rows", "X-Cols", "X-Dtype", "Retry-After"}
        undeclared = {"Content-Disposition", "ETag", "X-Request-ID", "Idempotent-Replayed"}
        assert set(exposed.split(", ")) == declared | undeclared

    def test_an_allowed_origin_may_read_a_fault(self, settings: Settings, house: Parts) -> None:
        open_to = settings.model_copy(update={"cors_origins": ("https://fab.example",)})
        with TestClient(with_faults(open_to, house)) as one:
            answer = one.get("/fault", headers={"Origin": "https://fab.example"})
        assert answer.status_code == 500
        assert answer.headers["Access-Control-Allow-Origin"] == "https://fab.example"
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]

    def test_none_may_by_default(self, client: TestClient) -> None:
        asked = {"Origin": "https://fab.example", "Access-Control-Request-Method": "GET"}
        answer = client.options("/health", headers=asked)
        assert "Access-Control-Allow-Origin" not in answer.headers
