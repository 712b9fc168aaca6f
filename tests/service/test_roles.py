"""Every route for every role: the table of who may what, asked over HTTP route by route."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.service.conftest import API, People, add_person
from tests.service.test_architecture import routes
from waferscope.service.app import PUBLIC
from waferscope.service.auth.roles import Role
from waferscope.service.auth.tokens import digest
from waferscope.service.ids import new_id
from waferscope.service.parts import Parts
from waferscope.service.tables import ApiKey

VIEWER = """
    POST /auth/logout
    GET /auth/me
    POST /auth/password
    GET /uploads
    GET /uploads/{upload_id}
    GET /uploads/{upload_id}/file
    GET /uploads/{upload_id}/wafers
    GET /wafers
    GET /wafers/stack
    GET /wafers/stack.png
    GET /wafers/{wafer_id}
    GET /wafers/{wafer_id}/dies
    GET /wafers/{wafer_id}/file
    GET /wafers/{wafer_id}/image.png
    GET /wafers/{wafer_id}/thumbnail.png
    GET /lots
    GET /lots/{lot_id}
    GET /lots/{lot_id}/report
    GET /lots/{lot_id}/stack
    GET /lots/{lot_id}/stack.png
    GET /lots/{lot_id}/wafers
    POST /predict
    GET /predictions
    GET /predictions/{prediction_id}
    GET /similar
    POST /similar
    GET /causes
    GET /causes/{cause_id}
    GET /trends
"""
ANNOTATOR = """
    POST /uploads
    POST /predict/batch
    GET /predict/batch
    GET /predict/batch/{batch_id}
    GET /predict/batch/{batch_id}/wafers
    GET /predict/batch/{batch_id}/results/{format}
    POST /predict/batch/{batch_id}/cancel
    DELETE /predict/batch/{batch_id}
    POST /causes
    PATCH /causes/{cause_id}
    DELETE /causes/{cause_id}
    POST /flags
    GET /flags
    GET /flags/{flag_id}
    PATCH /flags/{flag_id}
    DELETE /flags/{flag_id}
"""
ENGINEER = """
    POST /flags/{flag_id}/answer
    POST /webhooks
    GET /webhooks
    GET /webhooks/{webhook_id}
    DELETE /webhooks/{webhook_id}
    GET /webhooks/{webhook_id}/deliveries
    POST /webhooks/{webhook_id}/ping
"""
ADMIN = """
    POST /users
    GET /users
    GET /users/{user_id}
    PATCH /users/{user_id}
    POST /users/{user_id}/password
    POST /keys
    GET /keys
    GET /keys/{key_id}
    DELETE /keys/{key_id}
    GET /audit
    DELETE /wafers/{wafer_id}
    POST /wafers/{wafer_id}/restore
    GET /retention
    PUT /retention
    DELETE /retention/{rule_id}
"""
TABLE = {
    line.strip(): role
    for role, lines in zip(Role, (VIEWER, ANNOTATOR, ENGINEER, ADMIN), strict=True)
    for line in lines.strip().splitlines()
}
"""The least role of each route, written by hand."""
WITH_ONE_TIME_PASSWORD = {"POST /auth/logout", "GET /auth/me", "POST /auth/password"}
REFUSED = {401, 403}


def asked(client: TestClient, route: str) -> int:
    """The status of a request with ids of nothing and an empty body."""
    verb, _, path = route.partition(" ")
    path = "/".join("nothing_0" if part.startswith("{") else part for part in path.split("/"))
    return client.request(verb, path, json=None if verb == "GET" else {}).status_code


def clients(people: People, role: Role) -> Iterator[TestClient]:
    """A client for each route: logging out ends one of them."""
    one = people(role)
    for route in TABLE:
        yield people(role) if route == "POST /auth/logout" else one


def test_the_table_names_every_route(api: FastAPI) -> None:
    named = {name.replace(f" {API}", " ") for name, _ in routes(api)}
    public = {name.replace(f" {API}", " ") for name in PUBLIC}
    assert named == set(TABLE) | public


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_table_says_and_nothing_else(people: People, role: Role) -> None:
    wrong = {}
    for (route, least), client in zip(TABLE.items(), clients(people, role), strict=True):
        status = asked(client, route)
        # Who may gets past the door: nothing is there, or the empty body is refused.
        right = status not in REFUSED if role.covers(least) else status == 403
        if not right or status >= 500:
            wrong[route] = status
    assert wrong == {}


def test_nobody_may_anything(client: TestClient) -> None:
    assert {route: status for route in TABLE if (status := asked(client, route)) != 401} == {}


def test_a_one_time_password_opens_nothing_but_its_change(client: TestClient, house: Parts) -> None:
    headers = add_person(house, "admin", must_change_password=True).headers
    one = TestClient(client.app, base_url=f"http://testserver{API}", headers=headers)
    one.portal = client.portal
    for route in sorted(set(TABLE) - WITH_ONE_TIME_PASSWORD):
        assert asked(one, route) == 403, route
    assert one.get("/auth/me").status_code == 200


def key_client(client: TestClient, house: Parts, *scopes: str) -> TestClient:
    """A client with an admin's key of some scopes."""
    secret = f"wsk_{new_id('secret')}"
    owner = add_person(house, "admin")
    with house.records.writing() as session:
        session.add(
            ApiKey(
                id=new_id("key"),
                user_id=owner.id,
                name="tester",
                digest=digest(secret),
                hint=secret[-4:],
                role="admin",
                scopes=list(scopes),
            )
        )
    headers = {"X-API-Key": secret}
    one = TestClient(client.app, base_url=f"http://testserver{API}", headers=headers)
    one.portal = client.portal
    return one


@pytest.mark.parametrize("scope", ["wafers", "wafers:read", "*:read", "*"])
def test_a_key_opens_the_nouns_of_its_scopes_alone(
    client: TestClient, house: Parts, scope: str
) -> None:
    one = key_client(client, house, scope)
    noun, _, reads = scope.partition(":")
    for route in sorted(set(TABLE) - {"POST /auth/logout"}):
        verb, _, path = route.partition(" ")
        fits = noun in {"*", path.split("/")[1]} and (not reads or verb == "GET")
        status = asked(one, route)
        assert (status not in REFUSED) if fits else (status == 403), (route, status)
