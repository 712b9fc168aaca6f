"""``waferscope admin``: people, keys, backup and check, without a login."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from waferscope.service.parts import Parts, open_parts
from waferscope.service.settings import Settings
from waferscope.service.start import prepare


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """An installation that was started once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAFERSCOPE_HOME", str(tmp_path / "home"))
    house = open_parts(Settings(home=tmp_path / "home", demo=False))
    prepare(house)
    return house


@pytest.mark.usefixtures("house")
def test_a_user_is_made_and_reset(run: Run) -> None:
    made = run("admin", "create-user", "Ada", "--role", "engineer")
    assert (made.code, len(made.last_line)) == (0, 20)
    assert "user ada, role engineer" in made.out
    again = run("admin", "reset-password", "ada")
    assert (again.code, len(again.last_line)) == (0, 20)
    assert again.last_line != made.last_line
    clash = run("admin", "create-user", "ada")
    assert clash.code == 1
    assert "name that is free" in clash.err
    assert run("admin", "create-user", "eve", "--role", "emperor").code == 1
    assert run("admin", "reset-password", "eve").code == 1


@pytest.mark.usefixtures("house")
def test_a_key_is_made(run: Run) -> None:
    run("admin", "create-user", "ada", "--role", "annotator")
    words = ("--scope", "wafers", "--scope", "lots:read", "--days", "9")
    made = run("admin", "create-key", "ada", *words)
    assert made.code == 0
    assert made.last_line.startswith("wsk_")
    assert run("admin", "create-key", "ada", "--role", "admin").code == 1
    assert run("admin", "create-key", "ada", "--scope", "a b").code == 1
    assert run("admin", "create-key", "nobody").code == 1


def test_all_of_it_is_backed_up_and_restored(
    run: Run, house: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("admin", "create-user", "ada")
    path = tmp_path / "backup.tar"
    saved = run("admin", "backup", path)
    assert (saved.code, saved.last_line) == (0, str(path))
    assert run("admin", "backup", path).code == 1
    assert run("admin", "restore", path).code == 1
    monkeypatch.setenv("WAFERSCOPE_HOME", str(tmp_path / "other"))
    assert run("admin", "restore", path).code == 0
    assert run("admin", "reset-password", "ada").code == 0


def test_what_is_loose_is_named(run: Run, house: Parts) -> None:
    sound = run("admin", "check")
    assert (sound.code, sound.last_line) == (0, "0 blobs recorded, 0 kept")
    house.blobs.put("wafers/ab/abc", b"young")
    assert run("admin", "check", "--mend").code == 0
    assert house.blobs.has("wafers/ab/abc")


def test_an_installation_that_never_started_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAFERSCOPE_HOME", str(tmp_path / "none"))
    done = run("admin", "check")
    assert done.code == 1
    assert "waferscope serve" in done.err
