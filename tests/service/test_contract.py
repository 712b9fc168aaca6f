"""The whole OpenAPI document, fuzzed for every role: what is asked is answered as it says.

Schemathesis makes requests that fit the document and some that do not; half of them name objects
that exist. No answer is a 500, and each has a status, a type and a shape that the document declares
for its route. The number of examples is small, so that the checks stay quick; set
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
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.conftest import People
from tests.service.uploads.files import stdf_lot
from waferscope.service.auth.roles import Role
from waferscope.service.batches.routes import MEDIA
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import Batch

EXAMPLES = int(os.environ.get("WAFERSCOPE_TEST_EXAMPLES", "8"))
CREDENTIALS = {"authorization", "x-api-key", "cookie"}
CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Logging out would end the fuzzing; the issuer of a single sign-on is not there.
LEFT_OUT = {"POST /api/v1/auth/logout"}
REAL = {200, 202, 204, 409}
"""What is answered of an object that exists: done, or it is not as it has to be for that."""
NO_OBJECTS = {"format"}
Everybody = dict[Role, TestClient]
Known = dict[str, str]


@pytest.fixture(name="settings")
def settings_of_house(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": ("hooks.example",)})


@pytest.fixture
def everybody(people: People) -> Everybody:
    return {role: people(role) for role in Role}


@pytest.fixture
def known(house: Parts, everybody: Everybody) -> Known:
    """Ids of objects that exist, by the names of path parameters and filters."""
    author, admin = everybody[Role.ANNOTATOR], everybody[Role.ADMIN]
    raw = {"predict": "false", "file_name": "lot.stdf"}
    upload = made(author.post("/uploads", params=raw, content=stdf_lot(1)))
    wafer = upload["wafers"][0]["id"]
    body = {"wafer_map_ids": [wafer]}
    made(author.post("/predict", params={"store": True}, json=body))
    (prediction,) = made(author.get("/predictions"))["items"]
    batch = made(author.post("/predict/batch", json=body))["id"]
    _give_results(house, batch)
    hook = {"url": "http://hooks.example/", "events": ["ping"]}
    return {
        "wafer_id": wafer,
        "wafer_map_id": wafer,
        "upload_id": upload["id"],
        "lot_id": made(author.get("/lots"))["items"][0]["id"],
        "prediction_id": prediction["id"],
        "model_version": prediction["model_version"],
        "batch_id": batch,
        "cause_id": made(author.post("/causes", json={"wafer_id": wafer, "cause": "robot"}))["id"],
        "flag_id": made(author.post("/flags", json={"wafer_id": wafer, "note": "no"}))["id"],
        "webhook_id": made(everybody[Role.ENGINEER].post("/webhooks", json=hook))["id"],
        "user_id": made(admin.post("/users", json={"name": "other"}))["id"],
        "key_id": made(admin.post("/keys", json={"name": "other", "scopes": ["*"]}))["id"],
        "rule_id": made(admin.put("/retention", json={"product": "P9", "days": 9}))["id"],
    }


def made(answer: Any) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def _give_results(house: Parts, batch_id: str) -> None:
    """Files of results, as a worker would write them."""
    name = f"results/{batch_id}"
    house.blobs.put(name, b"[]")
    with house.records.writing() as session:
        session.get_one(Batch, batch_id).results = dict.fromkeys(MEDIA, name)


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


def check(client: TestClient, case: Case[Any]) -> int:
    """Check the answer to a request, and return its status."""
    answer = send(client, case)
    assert answer.status_code < 500, (case.method, answer.url, answer.text)
    answer.request.read()  # a form was sent as it was made; the checks want it as a whole
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400 and answer.content:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    return int(answer.status_code)


def fuzz(clients: Everybody, operation: Any, known: Known, mode: GenerationMode) -> set[int]:
    """Send some requests of one operation, each of them as everybody; return the statuses."""
    statuses: set[int] = set()

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
        statuses.update(check(client, case) for client in clients.values())

    with contextlib.suppress(Unsatisfiable):  # without parameters nothing can be made wrong
        ask()
    return statuses


def test_every_answer_is_as_the_document_says(
    api: FastAPI, everybody: Everybody, known: Known
) -> None:
    schema = schemathesis.openapi.from_dict(api.openapi())
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found) > 50
    deleting = [one for one in operations if one.method.upper() == "DELETE"]
    others = [one for one in operations if one not in deleting and one.label not in LEFT_OUT]
    met = {}
    for operation in others + deleting[::-1]:  # a wafer goes last: it takes its causes along
        met[operation.label] = {
            status
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            for status in fuzz(everybody, operation, known, mode)
        }
    strangers = [name for name, statuses in met.items() if "{" in name and not statuses & REAL]
    assert strangers == []


def test_each_kind_of_object_is_known(api: FastAPI, known: Known) -> None:
    named = {
        parameter["name"]
        for verbs in api.openapi()["paths"].values()
        for operation in verbs.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "path"
    }
    assert named - NO_OBJECTS <= set(known)
