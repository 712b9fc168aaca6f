"""Who asks: the scopes of keys, and who acts when nobody asked."""

from __future__ import annotations

import pytest

from waferscope.errors import RightsError
from waferscope.service.auth.identity import SYSTEM, check_scope
from waferscope.service.auth.roles import Role


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
