"""``train``, ``evaluate`` and ``export``: what they call, and what they say without torch."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.ml.small import write_data
from waferscope.cli.learn import require_training
from waferscope.errors import ConfigError, MissingExtraError
from waferscope.ml.evaluate import Beside
from waferscope.ml.evaluation.exam import FULL, QUICK


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


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path | None, Path | None, object]]:
    """Measure nothing; keep what was asked for."""
    calls: list[tuple[Path | None, Path | None, object]] = []

    def fake(model: Path | None, data: Path | None, *, exam: object, **more: object) -> object:
        calls.append((model, data, exam))
        assert set(more) == {"beside", "say"}
        assert more["beside"] == Beside()
        return {"noise": {"false_alarms": {"value": 0.01, "low": 0.0, "high": 0.02}}}

    stub(monkeypatch, "waferscope.ml.evaluate", evaluate=fake, Beside=Beside)
    return calls


def test_evaluate_prints_what_was_asked_and_what_is(
    run: Run, measured: list[tuple[Path | None, Path | None, object]], tmp_path: Path
) -> None:
    done = run("evaluate", "--model", tmp_path / "a.onnx", "--data", tmp_path)
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if "noise wafers" in line)
    assert "at most 0.015" in row
    assert "0.010 (0.000 to 0.020)" in row
    assert row.rstrip().endswith("met")
    run("evaluate", "--all", "--data", tmp_path)
    assert measured == [(tmp_path / "a.onnx", tmp_path, QUICK), (None, tmp_path, FULL)]
    told = run("evaluate", "--json")
    assert json.loads(told.out)["noise"]["false_alarms"]["value"] == 0.01


def test_evaluate_measures_beside_what_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fake(*_: object, beside: object, **_more: object) -> object:
        asked.append(beside)
        gain = {"value": 0.02, "low": 0.01, "high": 0.03}
        return {"peer": {"gain": gain}, "transfer": {"exact_match": {**gain, "value": 0.9}}}

    stub(monkeypatch, "waferscope.ml.evaluate", evaluate=fake, Beside=Beside)
    other, peer, drawn = (tmp_path / name for name in ("b.onnx", "peer", "last.ckpt"))
    words = ("--against", other, "--peer", peer, "--transfer", drawn)
    done = run("evaluate", "--data", tmp_path, *words)
    assert asked == [Beside(against=other, peer=peer, transfer=drawn)]
    ahead, carried = done.out.splitlines()[-3:-1]
    assert ahead.split("surely above 0")[1].split() == ["0.020", "(0.010", "to", "0.030)", "met"]
    assert carried.rstrip().endswith("0.900 (0.010 to 0.030)     met")


def test_evaluate_writes_its_report(
    run: Run,
    measured: list[tuple[Path | None, Path | None, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write_report(report: object, folder: Path) -> Path:
        assert "noise" in str(report)
        return folder / "report.md"

    stub(monkeypatch, "waferscope.ml.evaluation.report_files", write_report=write_report)
    done = run("evaluate", "--output", tmp_path)
    assert done.last_line == str(tmp_path / "report.md")
    assert len(measured) == 1


def test_all_looks_for_the_real_wafers(
    run: Run,
    measured: list[tuple[Path | None, Path | None, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("WAFERSCOPE_DATA", raising=False)
    done = run("evaluate", "--all")
    assert done.code == 1
    assert "Name it with --data" in done.err
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert run("evaluate", "--all").code == 0
    monkeypatch.setenv("WAFERSCOPE_DATA", str(tmp_path / "here"))
    assert run("evaluate", "--all").code == 0
    places = [Path("../shared/data"), tmp_path / "here"]
    assert [data for _, data, _ in measured] == places


def test_train_builds_the_recipe_and_runs_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, Path]] = []
    asked: list[dict[str, object]] = []

    def build_recipe(name: str, data: Path | None) -> tuple[str, Path | None]:
        if name != "quick":
            raise ConfigError("Expected a recipe of quick. Choose one of them.")
        return name, data

    def fake_train(config: object, folder: Path) -> Path:
        calls.append((config, folder))
        return folder / "last.ckpt"

    def change(config: object, changes: dict[str, object]) -> object:
        asked.append({name: value for name, value in changes.items() if value})
        return config

    stub(monkeypatch, "waferscope.ml.recipes", build_recipe=build_recipe)
    stub(monkeypatch, "waferscope.ml.train", train=fake_train)
    stub(monkeypatch, "waferscope.ml.changes", Changes=dict, change=change)
    done = run("train", "quick", "--data", tmp_path, "-o", tmp_path / "run")
    assert (done.code, done.last_line) == (0, str(tmp_path / "run" / "last.ckpt"))
    run("train", "quick", "--steps", 9, "--leave-label", "Loc", "--from", tmp_path / "a.onnx")
    changed = {"steps": 9, "leave_labels": ("Loc",), "start_from": tmp_path / "a.onnx"}
    assert asked == [{}, changed]
    assert calls == [(("quick", tmp_path), tmp_path / "run"), (("quick", None), Path("runs/quick"))]
    assert run("train", "slow").code == 1


def test_worst_draws_a_sheet(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", np.random.default_rng(5))
    sheet = tmp_path / "worst.png"
    done = run("worst", "--model", tiny_model, "--data", data, "--output", sheet)
    assert (done.code, done.last_line) == (0, str(sheet))
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
