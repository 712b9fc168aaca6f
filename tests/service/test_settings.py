"""Settings: where they come from, what they mean, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from waferscope.errors import ConfigError
from waferscope.service.settings import DEFAULT_SECRET, Settings, load_settings

SAFE = {
    "WAFERSCOPE_MODE": "production",
    "WAFERSCOPE_SECRET": "x" * 32,
    "WAFERSCOPE_COOKIE_SECURE": "true",
    "WAFERSCOPE_PUBLIC_URL": "https://wafers.example",
    "WAFERSCOPE_RECORDS_URL": "postgresql://u:p@db/wafers",
    "WAFERSCOPE_CACHE_URL": "redis://cache/0",
    "WAFERSCOPE_WORKERS": "4",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_any_the_service_keeps_to_one_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.records == "sqlite:///waferscope-data/records.db"
    assert settings.blobs == (tmp_path / "waferscope-data" / "blobs").as_uri()
    assert settings.cache_url == "memory://"
    assert settings.uses_sqlite
    assert not settings.is_production
    assert settings.secret.get_secret_value() == DEFAULT_SECRET
    assert DEFAULT_SECRET not in repr(settings)


def test_variables_go_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WAFERSCOPE_PORT=1234\nWAFERSCOPE_HOST=0.0.0.0\nOTHER=x\n")
    monkeypatch.setenv("WAFERSCOPE_PORT", "4321")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 4321)


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_WEBHOOK_HOSTS", "a.example, b.example:8443,")
    assert load_settings().webhook_hosts == ("a.example", "b.example:8443")


def test_the_driver_of_postgresql_is_named() -> None:
    settings = Settings(records_url="postgresql://u:p@db/wafers")
    assert settings.records == "postgresql+psycopg://u:p@db/wafers"
    assert not settings.uses_sqlite


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("MODE", "staging"),
        ("SECRET", "short"),
        ("RATE_LOGIN", "often"),
        ("WORKERS", "0"),
        ("LOG_LEVEL", "loud"),
        ("MAX_BODY_MB", "-1"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"WAFERSCOPE_{name}", value)
    with pytest.raises(ConfigError, match=f"WAFERSCOPE_{name}: "):
        load_settings()


def test_production_starts_with_safe_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SAFE)
    assert load_settings().is_production


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET", DEFAULT_SECRET),
        ("COOKIE_SECURE", "false"),
        ("PUBLIC_URL", "http://wafers.example"),
        ("RECORDS_URL", "sqlite:///records.db"),
        ("CACHE_URL", "memory://"),
        ("CORS_ORIGINS", "*"),
    ],
)
def test_production_refuses_what_is_unsafe(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    set_all(monkeypatch, {**SAFE, f"WAFERSCOPE_{name}": value})
    with pytest.raises(ConfigError, match=f"unsafe in production: {name}"):
        load_settings()


def test_all_that_is_unsafe_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**SAFE, "WAFERSCOPE_SECRET": DEFAULT_SECRET})
    monkeypatch.setenv("WAFERSCOPE_CORS_ORIGINS", "*")
    with pytest.raises(ConfigError, match=r"SECRET.*; CORS_ORIGINS"):
        load_settings()
