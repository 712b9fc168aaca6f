"""Filters as a query string gives them."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.testclient import TestClient

from waferscope.service.selection.filters import EVERYTHING, Filters, Origin, OriginFilters, Wanted


def test_filters_stand_beside_other_parameters_and_each_other() -> None:
    app = FastAPI()

    @app.get("/")
    def seen(wanted: Filters, origin: OriginFilters, k: int = 3) -> dict[str, object]:
        return {"k": k, "wanted": wanted.model_dump(), "origin": origin.model_dump()}

    client = TestClient(app)
    found = client.get("/", params={"product": "P1", "label": "Loc", "k": "7"}).json()
    assert found["k"] == 7
    assert found["wanted"] == Wanted(product="P1", label="Loc").model_dump()
    assert found["origin"] == Origin(product="P1").model_dump()
    assert client.get("/").json()["wanted"] == EVERYTHING.model_dump()
    for wrong in ({"severity": "huge"}, {"since": "2026"}, {"lot": "x" * 201}):
        assert client.get("/", params=wrong).status_code == 422


def test_every_filter_is_in_the_document() -> None:
    app = FastAPI()

    @app.get("/")
    def seen(wanted: Filters) -> None:
        pass

    named = {one["name"] for one in app.openapi()["paths"]["/"]["get"]["parameters"]}
    assert named == set(Wanted.model_fields)
