"""The way to an issuer and back, apart from browsers."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
from pydantic import SecretStr

from tests.service.auth.issuer import CLIENT_ID, CLIENT_SECRET, issuing
from waferscope.errors import IdentityError, NotFoundError
from waferscope.service.auth.oidc import come_back, set_out
from waferscope.service.auth.tokens import derive_key
from waferscope.service.settings import Settings
from waferscope.service.tables.row import now


def settings_for(url: str) -> Settings:
    return Settings(
        oidc_issuer=url, oidc_client_id=CLIENT_ID, oidc_client_secret=SecretStr(CLIENT_SECRET)
    )


def test_who_comes_back_is_told() -> None:
    with issuing() as issuer:
        settings = settings_for(issuer.url)
        journey = set_out(settings)
        back = issuer.visit(journey.url)
        stranger = come_back(settings, journey.cookie, back["state"], back["code"])
    assert stranger.subject == f"{issuer.url}|42"
    assert (stranger.name, stranger.email) == ("Ada Lovelace", "ada@fab.example")


def test_each_journey_is_its_own() -> None:
    with issuing() as issuer:
        settings = settings_for(issuer.url)
        one, other = set_out(settings), set_out(settings)
        back = issuer.visit(one.url)
        with pytest.raises(IdentityError, match="not begun here"):
            come_back(settings, other.cookie, back["state"], back["code"])


def test_a_journey_takes_ten_minutes_at_most() -> None:
    settings = settings_for("http://127.0.0.1:9")
    kept = {"state": "s", "nonce": "n", "verifier": "v", "exp": now() - timedelta(seconds=1)}
    late = jwt.encode(kept, derive_key(settings, "oidc"), "HS256")
    with pytest.raises(IdentityError, match="too long ago"):
        come_back(settings, late, "s", "code")


def test_without_an_issuer_nobody_sets_out() -> None:
    with pytest.raises(NotFoundError, match="WAFERSCOPE_OIDC_ISSUER"):
        set_out(Settings())
