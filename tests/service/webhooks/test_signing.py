"""Where a webhook may go, and that only its secret makes its signature."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from pydantic import SecretStr

from waferscope.errors import InputError, RightsError
from waferscope.service.settings import Settings
from waferscope.service.webhooks.signing import check_url, secret_of, sign

HOSTS = ("hooks.example", "Chat.example:8443")


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example/a?b=c", "https://HOOKS.example/", "https://chat.example:8443/x"],
)
def test_allowed_hosts_are_allowed(url: str) -> None:
    check_url(url, HOSTS, https_only=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://hooks.example.evil.example/",
        "https://evil.example/hooks.example",
        "https://chat.example/",
        "https://hooks.example:22/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://2130706433/",
        "https:///path",
    ],
)
def test_other_hosts_are_not(url: str) -> None:
    with pytest.raises(RightsError, match="WAFERSCOPE_WEBHOOK_HOSTS"):
        check_url(url, HOSTS, https_only=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "file:/etc/passwd",
        "gopher://hooks.example/",
        "hooks.example",
        "https://hooks.example@evil.example/",
        "https://user:pass@hooks.example/",
        "https://hooks.example/#@evil.example",
        "https://hooks.example\\@evil.example/",
        "https://hooks.example /",
        "https://hooks.example\n.evil.example/",
        "https://hооks.example/",
        "https://hooks.example:port/",
        "https://[hooks.example/",
    ],
)
def test_bent_addresses_are_refused(url: str) -> None:
    with pytest.raises((InputError, RightsError)):
        check_url(url, HOSTS, https_only=True)


def test_http_is_for_development() -> None:
    check_url("http://hooks.example/", HOSTS, https_only=False)


def test_nobody_is_allowed_by_default() -> None:
    with pytest.raises(RightsError):
        check_url("https://hooks.example/", Settings().webhook_hosts, https_only=True)


def test_a_signature_is_that_of_the_standard_library() -> None:
    right = hmac.new(b"whs_x", b"1700000000." + b"{}", hashlib.sha256).hexdigest()
    assert sign("whs_x", 1_700_000_000, b"{}") == f"sha256={right}"


def test_secrets_differ_by_webhook_salt_and_server() -> None:
    one, other = Settings(), Settings(secret=SecretStr("y" * 32))
    made = {
        secret_of(one, "hook_1", "a"),
        secret_of(one, "hook_1", "b"),
        secret_of(one, "hook_2", "a"),
        secret_of(other, "hook_1", "a"),
    }
    assert len(made) == 4
    assert secret_of(one, "hook_1", "a") in made
