"""The app as a whole: its document, and who may ask what."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from tests.service.conftest import People
from tests.service.test_architecture import authorities, routes
from waferscope.service.app import PUBLIC, build_app, create_app
from waferscope.service.auth.roles import Role
from waferscope.service.settings import Settings


def test_the_document_names_every_route(api: FastAPI) -> None:
    document = api.openapi()
    assert document["openapi"].startswith("3.1")
    told = {f"{verb.upper()} {path}" for path, verbs in document["paths"].items() for verb in verbs}
    assert told == {name for name, _ in routes(api)}


def test_every_route_has_a_summary_and_a_tag(api: FastAPI) -> None:
    for path, verbs in api.openapi()["paths"].items():
        for verb, route in verbs.items():
            assert route.get("description"), f"{verb} {path} has no docstring"
            assert route["tags"], f"{verb} {path} has no tag"


def test_names_of_routes_are_one_of_a_kind(api: FastAPI) -> None:
    paths = api.openapi()["paths"].values()
    ids = [route["operationId"] for verbs in paths for route in verbs.values()]
    assert len(ids) == len(set(ids))


def test_every_role_meets_every_route(api: FastAPI, client: TestClient, people: People) -> None:
    """Below its authority a route answers 403, without a login 401; never the other way round."""
    clients = {role: people(role.value) for role in Role}
    closed = [one for one in routes(api) if one[0] not in PUBLIC]
    for name, needs in sorted(closed, key=lambda one: one[0].endswith("/logout")):
        verb, path = name.split(" ", 1)
        address = "http://testserver" + path.replace("{", "").replace("}", "")
        least = max((one.role for one in authorities(needs)), key=lambda role: role.rank)
        assert client.request(verb, address).status_code == 401, name
        for role, one in clients.items():
            status = one.request(verb, address).status_code
            assert (status == 403) == (not role.covers(least)), f"{name} as {role}: {status}"


def test_routes_of_two_nouns_do_not_hide_each_other(api: FastAPI) -> None:
    seen: set[tuple[str, str]] = set()
    for route in iter_route_contexts(api.routes):
        if isinstance(route.original_route, APIRoute):
            for verb in route.methods or ():
                key = (verb, route.path_format or "")
                assert key not in seen
                seen.add(key)


def test_a_process_makes_its_app_from_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAFERSCOPE_HOME", str(tmp_path / "home"))
    app = create_app()
    assert app.state.parts.settings.home == tmp_path / "home"
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_parts_are_opened_when_none_are_given(tmp_path: Path) -> None:
    app = build_app(Settings(home=tmp_path))
    assert app.state.parts.settings.home == tmp_path
