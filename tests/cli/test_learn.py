"""``train``, ``evaluate`` and ``export``: what they call, and what they say without torch."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from tests.cli.conftest import Run
from waferscope.cli.learn import require_training
from waferscope.errors import ConfigError, MissingExtraError


def stub(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    """Put a module with these members in the place of a heavy one."""
    module = ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it look as if torch were not installed."""
    real = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "torch" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("words", [["train", "quick"], ["evaluate"], ["export", "a.ckpt"]])
def test_without_torch_the_cure_is_said(run: Run, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 1
    assert "pip install 'waferscope[train]'" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.usefixtures("without_torch")
def test_the_error_is_an_import_error() -> None:
    with pytest.raises(ImportError) as caught:
        require_training()
    assert isinstance(caught.value, MissingExtraError)


def test_train_builds_the_recipe_and_runs_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, Path]] = []

    def build_recipe(name: str, data: Path | None) -> tuple[str, Path | None]:
        if name != "quick":
            raise ConfigError("Expected a recipe of quick. Choose one of them.")
        return name, data

    def fake_train(config: object, folder: Path) -> Path:
        calls.append((config, folder))
        return folder / "last.ckpt"

    stub(monkeypatch, "waferscope.ml.recipes", build_recipe=build_recipe)
    stub(monkeypatch, "waferscope.ml.train", train=fake_train)
    done = run("train", "quick", "--data", tmp_path, "-o", tmp_path / "run")
    assert (done.code, done.last_line) == (0, str(tmp_path / "run" / "last.ckpt"))
    run("train", "quick")
    assert calls == [(("quick", tmp_path), tmp_path / "run"), (("quick", None), Path("runs/quick"))]
    assert run("train", "slow").code == 1
