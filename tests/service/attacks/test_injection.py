"""SQL, header and log injection: what is sent is a value everywhere, and never more."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer
from waferscope.service.parts import Parts
from waferscope.service.tables import User, Wafer
from waferscope.service.telemetry import set_up_logging

SQL = [
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "'; DROP TABLE wafers; --",
    "1); DELETE FROM users; --",
    "' UNION SELECT password FROM users --",
    "\\'; SELECT pg_sleep(9); --",
    "%' AND 1=1 --",
    "%",
    "_",
    "\x00",
    "$1",
    ":wafer_id",
    "{wafer_id}",
    "%(id)s",
]
FILTERS = {
    "/wafers": ("product", "lot", "step", "tester", "label", "text", "cursor"),
    "/lots": ("product", "text", "cursor"),
    "/causes": ("wafer_id", "label", "user_id", "text", "cursor"),
    "/flags": ("wafer_id", "label", "cursor"),
    "/trends": ("product", "lot", "label", "text"),
    "/predictions": ("wafer_map_id", "model", "cursor"),
    "/uploads": ("user_id", "cursor"),
    "/audit": ("actor_id", "action", "target"),
}


@pytest.fixture
def wafer(house: Parts) -> str:
    user = add_person(house, "annotator").id
    return add_wafer(house, user, labels={"Loc": "pattern"}, embedding=[1.0, 0.0])


def count(house: Parts, table: type[User | Wafer]) -> int:
    with house.records.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.parametrize("path", FILTERS)
def test_a_filter_is_a_value(people: People, house: Parts, wafer: str, path: str) -> None:
    client = people("admin")
    client.post("/causes", json={"wafer_id": wafer, "cause": "robot"})
    people_before = count(house, User)
    for name in FILTERS[path]:
        for text in SQL:
            answer = client.get(path, params={name: text})
            assert answer.status_code in {200, 422}, (name, text, answer.text)
            if answer.status_code == 200 and name not in {"text"}:
                found = answer.json().get("items", answer.json().get("series"))
                assert not [one for one in found if one.get("count")], (name, text)
                if path != "/trends":
                    assert found == [], (name, text)
            assert "sqlite" not in answer.text.lower()
            assert "psycopg" not in answer.text.lower()
    assert (count(house, User), count(house, Wafer)) == (people_before, 1)


@pytest.mark.parametrize("text", SQL, ids=ascii)
def test_ids_and_bodies_are_values(people: People, house: Parts, wafer: str, text: str) -> None:
    client = people("admin")
    before = count(house, User)
    body = {"wafer_id": wafer, "cause": text, "label": text[:60], "note": text}
    made = client.post("/causes", json=body)
    if made.status_code == 201:
        assert made.json() | body == made.json()
        assert client.get(f"/causes/{made.json()['id']}").json() == made.json()
    else:
        assert (made.status_code, "\0" in text) == (422, True)
    for refused in (
        client.post("/causes", json={"wafer_id": text, "cause": "x"}),
        client.get("/similar", params={"wafer_id": text}),
        client.post("/predict", json={"wafer_map_ids": [text]}),
        client.post("/auth/login", json={"name": text, "password": text}),
    ):
        assert refused.status_code in {401, 404, 422}, refused.text
    assert (count(house, User), count(house, Wafer)) == (before, 1)


@pytest.mark.parametrize("sort", ["id; DROP TABLE wafers", "password", "id desc, (select 1)"])
def test_an_order_is_one_of_those_offered(people: People, wafer: str, sort: str) -> None:
    for name in ("sort", "order"):
        answer = people("viewer").get("/wafers", params={name: sort})
        assert answer.status_code in {200, 422}
        if answer.status_code == 200:  # no such parameter
            assert len(answer.json()["items"]) == 1


@pytest.mark.parametrize(
    "key", [[1, {"a": 1}], ["' OR 1=1 --"], [None], [True], [1e400], ["a", "b", "c"], "x", {}]
)
def test_a_cursor_of_ones_own_making_is_refused_or_finds_nothing_more(
    people: People, wafer: str, key: Any
) -> None:
    made = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
    for path in ("/wafers", "/lots", "/causes", "/predictions"):
        answer = people("viewer").get(path, params={"cursor": made})
        assert answer.status_code in {200, 422}, (path, answer.text)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service logs, as it would appear on stderr."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    set_up_logging("info")
    sink = io.StringIO()
    (out,) = root.handlers
    assert isinstance(out, logging.StreamHandler)
    out.setStream(sink)
    yield sink
    root.handlers[:] = handlers
    root.setLevel(level)


FORGED = '{"event": "auth.login", "actor": "root"}'


def test_no_line_of_the_log_can_be_forged(
    people: People, client: TestClient, wafer: str, log: io.StringIO
) -> None:
    annotator = people("annotator")
    evil = f"x\r\n{FORGED}\n\x1b[2J\u2028{FORGED}"
    annotator.post("/causes", json={"wafer_id": wafer, "cause": evil[:200], "note": evil})
    annotator.get(f"/wafers/a%0d%0a{quote(FORGED)}")
    annotator.post("/uploads", files={"file": (evil, b"no wafer")})
    client.post("/auth/login", json={"name": evil, "password": evil})
    client.get("/auth/me", headers={"User-Agent": "x" + FORGED, "X-Request-ID": FORGED})
    lines = log.getvalue().splitlines()
    assert len(lines) >= 5
    for line in lines:
        assert json.loads(line).get("actor") != "root"
        assert "\x1b" not in line


@pytest.mark.parametrize("given", ["a b", "x" * 65, "a\tb", "ä", FORGED, "a;b", "<script>"])
def test_a_request_id_that_is_not_sound_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/auth/me", headers=[(b"X-Request-ID", given.encode())])
    assert answer.headers["X-Request-ID"] != given
    assert answer.headers["X-Request-ID"].isalnum()


def test_the_audit_trail_keeps_names_as_they_are(people: People, wafer: str) -> None:
    author, admin = people("annotator"), people("admin")
    evil = "x\r\n2026-01-01 admin deleted everything"
    made = author.post("/causes", json={"wafer_id": wafer, "cause": evil}).json()
    (entry,) = admin.get("/audit", params={"target": made["id"]}).json()["items"]
    assert entry["detail"]["cause"] == evil
    assert entry["actor_id"] == made["user_id"]
