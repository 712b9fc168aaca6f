"""The whole OpenAPI document, fuzzed for every role: what is asked is answered, never with a 500.

Schemathesis makes requests that fit the document and some that do not; half of them name objects
that exist. The number of examples is small, so that the checks stay quick; set
``WAFERSCOPE_TEST_EXAMPLES`` for more.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer
from waferscope.service.auth.roles import Role
from waferscope.service.parts import Parts
from waferscope.service.tables import Flag, Wafer

EXAMPLES = int(os.environ.get("WAFERSCOPE_TEST_EXAMPLES", "2"))
CREDENTIALS = {"authorization", "x-api-key", "cookie"}
# Logging out would end the fuzzing; the issuer of a single sign-on is not there.
LEFT_OUT = {"POST /api/v1/auth/logout"}
Known = dict[str, str]


@pytest.fixture
def known(house: Parts, people: People) -> Known:
    """Ids of objects that exist, by the names of path parameters and filters."""
    author = people("annotator")
    user = author.get("/auth/me").json()["id"]
    wafer = add_wafer(house, user, labels={"Scratch": "pattern"}, embedding=[1.0] + 255 * [0.0])
    cause = author.post("/causes", json={"wafer_id": wafer, "cause": "robot"}).json()["id"]
    flag = author.post("/flags", json={"wafer_id": wafer, "note": "no"}).json()["id"]
    with house.records.reading() as session:
        row = session.get_one(Wafer, wafer)
        lot, prediction = row.lot_id, str(row.prediction_id)
        assert session.get(Flag, flag) is not None
    other = add_person(house, "viewer").id
    return {
        "wafer_id": wafer,
        "wafer_map_id": wafer,
        "lot_id": lot,
        "prediction_id": prediction,
        "cause_id": cause,
        "flag_id": flag,
        "user_id": other,
        "model_version": "test-1",
    }


def send(client: TestClient, case: Case[Any]) -> Any:
    words = case.as_transport_kwargs(base_url="http://testserver")
    kept = {k: v for k, v in words.pop("headers").items() if k.lower() not in CREDENTIALS}
    words.pop("cookies", None)
    files, data = _sendable(words.pop("files", None)), words.pop("data", None)
    if isinstance(data, str | bytes):
        words["content"], data = data, None
    return client.request(**words, files=files, data=data, headers=kept | dict(client.headers))


def _sendable(parts: Any) -> Any:
    """Multipart fields as the test client can send them: numbers would stop it, not the server."""
    if isinstance(parts, dict):
        return {name: _sendable(value) for name, value in parts.items()}
    if isinstance(parts, list | tuple):
        return type(parts)(_sendable(value) for value in parts)
    return parts if parts is None or isinstance(parts, str | bytes) else str(parts)


def check(client: TestClient, case: Case[Any]) -> None:
    answer = send(client, case)
    assert answer.status_code < 500, (case.method, answer.url, answer.text)
    if answer.status_code >= 400 and answer.content:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def fuzz(clients: list[TestClient], operation: Any, known: Known, mode: GenerationMode) -> None:
    """Send some requests of one operation, each of them as everybody."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), exists=st.booleans())
    def ask(case: Case[Any], exists: bool) -> None:
        if exists:
            for parameters in (case.path_parameters, case.query):
                if isinstance(parameters, dict):
                    parameters |= {k: v for k, v in known.items() if k in parameters}
        for client in clients:
            check(client, case)

    with contextlib.suppress(Unsatisfiable):  # without parameters nothing can be made wrong
        ask()


def test_no_request_is_answered_with_a_fault(api: FastAPI, people: People, known: Known) -> None:
    schema = schemathesis.openapi.from_dict(api.openapi())
    clients = [people(role) for role in Role]
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found) > 50
    for operation in operations:
        if operation.label in LEFT_OUT:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            fuzz(clients, operation, known, mode)
