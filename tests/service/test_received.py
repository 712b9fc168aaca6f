"""Files in requests: raw or in a form, under safe names, gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from waferscope.service.errors import add_error_answers
from waferscope.service.received import CHUNK_BYTES, received

seen: list[Path] = []


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    add_error_answers(app)

    @app.post("/")
    async def take(request: Request, name: str = "") -> dict[str, str | int]:
        async with received(request, name) as path:
            seen.append(path)
            content = path.read_bytes()
        return {"name": path.name, "size": len(content), "start": content[:4].decode()}

    return TestClient(app)


@pytest.mark.parametrize("size", [0, 4, CHUNK_BYTES - 1, 3 * CHUNK_BYTES + 5])
def test_a_raw_body_is_the_file(client: TestClient, size: int) -> None:
    content = b"abcd"[:size] + bytes(max(0, size - 4))
    answer = client.post("/", params={"name": "lot.stdf"}, content=content)
    assert answer.json() == {"name": "lot.stdf", "size": size, "start": "abcd"[:size]}
    assert not seen[-1].exists()
    assert not seen[-1].parent.exists()


def test_a_form_has_the_file_in_a_field(client: TestClient) -> None:
    content = b"wxyz" * CHUNK_BYTES
    answer = client.post("/", files={"file": ("W01.klarf", content)})
    assert answer.json() == {"name": "W01.klarf", "size": len(content), "start": "wxyz"}
    assert not seen[-1].exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\a\\b", "a\0b", "", "." * 300])
def test_a_name_stays_in_its_folder(client: TestClient, name: str) -> None:
    for answer in (
        client.post("/", params={"name": name}, content=b"data"),
        client.post("/", files={"file": (name or "x", b"data")}),
    ):
        assert answer.status_code == 200, answer.text
        assert seen[-1].parent.name.startswith("waferscope-")
        assert ".." not in seen[-1].name


def test_letters_of_every_script_stay(client: TestClient) -> None:
    """Else wafers named by their files would all be of one name."""
    for name in ("ä.csv", "晶圆.csv"):
        for answer in (
            client.post("/", params={"name": name}, content=b"data"),
            client.post("/", files={"file": (name, b"data")}),
        ):
            assert answer.json()["name"] == name


def test_a_form_without_the_file_is_refused(client: TestClient) -> None:
    for answer in (
        client.post("/", files={"other": ("a", b"data")}),
        client.post("/", files=[("file", ("a", b"x")), ("file", ("b", b"y"))]),
    ):
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
