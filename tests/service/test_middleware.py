"""What surrounds every request: ids, headers, figures, and bodies that are too large."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People
from waferscope.service.app import build_app
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


def test_a_small_body_passes(client: TestClient) -> None:
    answer = client.post("/auth/login", json={"name": "a", "password": "b"})
    assert answer.status_code == 401


def test_methods_nobody_has_are_counted_as_one(client: TestClient) -> None:
    client.request("BREW", "/health")
    client.request("PROPFIND", "/nothing")
    text = client.get("/metrics").text
    assert 'method="OTHER",route="none",status="404"' in text
    assert "BREW" not in text


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

    def test_none_may_by_default(self, client: TestClient) -> None:
        asked = {"Origin": "https://fab.example", "Access-Control-Request-Method": "GET"}
        answer = client.options("/health", headers=asked)
        assert "Access-Control-Allow-Origin" not in answer.headers
