"""Small files and bodies that would grow: refused soon, whatever they are packed in."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
import zlib
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People
from waferscope.service.settings import Settings

PROBLEM = "application/problem+json"
SOON_S = 60
ZEROS = 100 << 20


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_mb": 4, "max_body_mb": 1})


def packed(data: bytes, name: str = "map.csv") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return sink.getvalue()


def zeros_in_zip() -> bytes:
    return packed(b"x,y,bin\n" + bytes(ZEROS))


def zip_in_zip() -> bytes:
    data = packed(b"x,y,bin\n" + bytes(1 << 20))
    for depth in range(12):
        data = packed(data, f"{depth}.zip")
    return data


def zeros_in_gzip() -> bytes:
    return gzip.compress(b"x,y,bin\n" + bytes(ZEROS))


def many_members() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{number}.csv", b"x,y,bin\n0,0,1\n")
    return sink.getvalue()


def billion_laughs() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE M [<!ENTITY e0 "ha">{entities}]><MapData>&e11;</MapData>'.encode()


def quadratic_blowup() -> bytes:
    return f'<!DOCTYPE M [<!ENTITY e "{"a" * 50_000}">]><M>{"&e;" * 20_000}</M>'.encode()


def external_entity() -> bytes:
    return b'<!DOCTYPE M [<!ENTITY x SYSTEM "file:///etc/passwd">]><MapData>&x;</MapData>'


def external_document() -> bytes:
    return b'<!DOCTYPE M SYSTEM "http://127.0.0.1:9/evil.dtd"><MapData/>'


def deep_xml() -> bytes:
    return b"<a>" * 200_000 + b"</a>" * 200_000


def deep_json() -> bytes:
    return b"[" * 500_000 + b"]" * 500_000


def vast_picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    side = (60_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))


BOMBS = {
    "zeros.zip": zeros_in_zip,
    "nested.zip": zip_in_zip,
    "zeros.csv.gz": zeros_in_gzip,
    "many.zip": many_members,
    "laughs.xml": billion_laughs,
    "blowup.xml": quadratic_blowup,
    "external.xml": external_entity,
    "document.xml": external_document,
    "deep.xml": deep_xml,
    "deep.json": deep_json,
    "vast.png": vast_picture,
}


def assert_refused(answer: Any, since: float) -> None:
    assert answer.status_code in {400, 413, 422}, answer.text[:500]
    assert answer.headers["Content-Type"] == PROBLEM
    assert "root:" not in answer.text
    assert time.monotonic() - since < SOON_S


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("path", ["/uploads", "/predict"])
def test_a_bomb_is_refused_soon(people: People, name: str, path: str) -> None:
    data = BOMBS[name]()
    assert len(data) < 5_000_000
    client = people("annotator")
    since = time.monotonic()
    assert_refused(client.post(path, files={"file": (name, data)}), since)
    assert client.get("/uploads").json()["items"] == []
    assert client.get("/wafers").json()["items"] == []


def test_a_file_over_the_limit_is_refused_by_what_it_says_and_by_what_it_is(
    people: People,
) -> None:
    client = people("annotator")
    headers = {"Content-Type": "application/octet-stream"}
    since = time.monotonic()
    assert_refused(client.post("/uploads", content=bytes(5_000_000), headers=headers), since)

    def endless() -> Any:
        for _ in range(100):
            yield bytes(100_000)

    assert_refused(client.post("/uploads", content=endless(), headers=headers), since)


def nested(depth: int) -> str:
    return '{"note":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    "body",
    [
        nested(100_000),
        "[" * 300_000,
        '{"wafer_id": "w", "cause": "' + "x" * 900_000 + '"}',
        '{"wafer_id": 1' + "0" * 300_000 + "}",
        json.dumps({f"field{n}": n for n in range(30_000)}),
    ],
    ids=["deep objects", "deep lists", "long text", "long number", "many fields"],
)
@pytest.mark.parametrize("path", ["/causes", "/predict", "/similar"])
def test_a_body_that_is_deep_or_long_is_refused(people: People, body: str, path: str) -> None:
    since = time.monotonic()
    answer = people("annotator").post(
        path, content=body, headers={"Content-Type": "application/json"}
    )
    assert_refused(answer, since)
    assert len(answer.content) < 10_000  # nor is the answer to a small body a large one


@pytest.mark.parametrize(
    "wafer",
    [
        {"dies": "AAAA", "shape": [100_000, 100_000]},
        {"dies": "AAAA", "shape": [5_000, 5_000]},
        {"dies": [[1] * 3] * 2 + [[1]]},
        {"dies": ["1" * 100_000]},
        {"dies": "A" * 900_000, "shape": [1, 1]},
        {"dies": [[10**30]]},
        {"dies": [["1"]], "reticle": {"rows": 10**9, "cols": 1}},
    ],
    ids=["vast", "large", "ragged", "wide", "longer than said", "large number", "vast field"],
)
def test_wafers_inline_are_bounded(people: People, wafer: dict[str, Any]) -> None:
    since = time.monotonic()
    assert_refused(people("viewer").post("/predict", json={"wafers": [wafer]}), since)


def test_too_many_at_once_are_refused(people: People) -> None:
    client: TestClient = people("annotator")
    since = time.monotonic()
    wafers = [{"dies": ["1"]}] * 101
    assert_refused(client.post("/predict", json={"wafers": wafers}), since)
    assert_refused(client.post("/predict", json={"wafer_map_ids": ["w"] * 101}), since)
    assert_refused(client.get("/wafers", params={"limit": 10**9}), since)
    assert_refused(client.get("/trends", params={"groups": 10**9}), since)
    assert_refused(client.get("/similar", params={"wafer_id": "w", "k": 10**9}), since)
