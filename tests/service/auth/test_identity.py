"""Who asks: the scopes of keys, and who acts when nobody asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import generate_latest

from waferscope.errors import RightsError
from waferscope.service.auth.identity import SYSTEM, Counted, CountedLogin, check_scope
from waferscope.service.auth.roles import Role
from waferscope.service.errors import add_error_answers
from waferscope.service.limits import RateLimits
from waferscope.service.settings import Settings
from waferscope.service.telemetry import Figures


@pytest.mark.parametrize(
    ("scopes", "method", "path", "fits"),
    [
        (("*",), "DELETE", "/api/v1/wafers/waf_1", True),
        (("wafers",), "POST", "/api/v1/wafers", True),
        (("wafers",), "GET", "/api/v1/wafers/waf_1/image", True),
        (("wafers",), "GET", "/api/v1/wafersx", False),
        (("wafers:read",), "GET", "/api/v1/wafers", True),
        (("wafers:read",), "HEAD", "/api/v1/wafers", True),
        (("wafers:read",), "POST", "/api/v1/wafers", False),
        (("*:read",), "GET", "/api/v1/audit", True),
        (("*:read",), "PATCH", "/api/v1/users/usr_1", False),
        (("lots", "predict"), "POST", "/api/v1/predict", True),
        (("lots",), "GET", "/api/v1/wafers", False),
        ((), "GET", "/api/v1/wafers", False),
    ],
)
def test_scopes_are_nouns(scopes: tuple[str, ...], method: str, path: str, fits: bool) -> None:
    if fits:
        check_scope(scopes, method, path)
        return
    with pytest.raises(RightsError, match="Make a key that has it"):
        check_scope(scopes, method, path)


def test_the_system_is_nobody_and_may_all() -> None:
    assert (SYSTEM.user_id, SYSTEM.name, SYSTEM.role) == ("", "system", Role.ADMIN)


async def costly() -> None:
    """What is done for anybody."""


@pytest.mark.parametrize(
    ("counted", "rate", "limit"),
    [(Counted, "rate_address", "address"), (CountedLogin, "rate_login", "login")],
)
def test_a_public_route_is_counted_by_address(counted: Any, rate: str, limit: str) -> None:
    app, figures = FastAPI(), Figures()
    app.get("/costly", dependencies=[counted])(costly)
    add_error_answers(app)
    settings = Settings().model_copy(update={rate: "2/minute"})
    app.state.parts = SimpleNamespace(
        settings=settings, limits=RateLimits("memory://"), figures=figures
    )
    one = TestClient(app, client=("10.0.0.7", 1))
    other = TestClient(app, client=("10.0.0.8", 1))
    assert [one.get("/costly").status_code for _ in range(3)] == [200, 200, 429]
    assert other.get("/costly").status_code == 200
    line = f'waferscope_refusals_total{{limit="{limit}"}} 1.0'
    assert line in generate_latest(figures.registry).decode()
