"""Cookies: what a browser keeps of a login, and takes back."""

from __future__ import annotations

from fastapi import Response
from pydantic import SecretStr

from waferscope.service.auth import cookies
from waferscope.service.settings import Settings


def headers(response: Response) -> list[str]:
    return [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]


def test_a_token_against_forgery_fits_one_sitting_of_one_server() -> None:
    one, other = Settings(), Settings(secret=SecretStr("y" * 32))
    tokens = {
        cookies.csrf_token(one, "sit_1"),
        cookies.csrf_token(one, "sit_2"),
        cookies.csrf_token(other, "sit_1"),
    }
    assert len(tokens) == 3


def test_they_live_as_long_as_what_they_carry() -> None:
    response = Response()
    settings = Settings(access_minutes=10, refresh_days=2)
    cookies.set_cookies(response, settings, "sit_1", "access", "refresh")
    access, refresh, csrf = headers(response)
    assert "Max-Age=600" in access
    assert "Max-Age=172800" in refresh
    assert "Max-Age=172800" in csrf
    assert "Secure" not in access


def test_they_are_taken_back_where_they_were_set() -> None:
    response = Response()
    cookies.clear_cookies(response)
    taken = headers(response)
    assert len(taken) == 3
    assert all("Max-Age=0" in one for one in taken)
    assert any("Path=/api/v1/auth;" in one for one in taken)
