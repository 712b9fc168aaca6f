"""``waferscope serve`` and ``work``: what they say before they begin."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from waferscope.service import start


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, without a demo lot; names of variables that serve sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAFERSCOPE_DEMO", "false")
    for name in ("WAFERSCOPE_HOST", "WAFERSCOPE_PORT"):
        monkeypatch.setenv(name, "0" if name.endswith("PORT") else "127.0.0.1")
    monkeypatch.setattr("waferscope.service.telemetry.set_up_logging", lambda level: None)
    return tmp_path


def test_the_first_password_is_said_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr(start, "serve", served.append)
    first = run("serve", "--no-worker", "--port", "8123")
    second = run("serve", "--no-worker")
    assert first.code == second.code == 0
    assert "one-time password, shown this once: " in first.out
    assert first.last_line == (
        "WaferScope on http://127.0.0.1:8123, API at http://127.0.0.1:8123/docs"
    )
    assert "password" not in second.out
    assert served[0].port == 8123


def test_an_address_that_is_taken_stops_the_start(run: Run, home: Path) -> None:
    """Before the first password is said, which would be lost."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", "--no-worker", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "Expected a free address" in done.err
    assert "password" not in done.out
    assert not list(home.rglob("*.db"))


def test_unsafe_settings_stop_the_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_MODE", "production")
    done = run("serve")
    assert done.code == 1
    assert "unsafe in production: SECRET" in done.err
    assert done.err.count("\n") == 1


def test_a_worker_wants_tables(run: Run) -> None:
    done = run("work")
    assert done.code == 1
    assert "waferscope serve" in done.err


@pytest.mark.parametrize("command", [("serve",), ("work",), ("admin", "check")])
def test_without_the_extra_its_name_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = run(*command)
    assert done.code == 1
    assert "pip install 'waferscope[serve]'" in done.err
