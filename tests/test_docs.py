"""The documents tell the truth: what exists is in them, and what they show runs."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main

import waferscope
from scripts.build_cli_docs import PAGE, commands, options, render
from scripts.build_results import MODELS, pages, read_report
from scripts.build_settings import EXAMPLE, build_page, render_example
from scripts.build_settings import PAGE as SETTINGS_PAGE
from waferscope import errors
from waferscope.cli import main
from waferscope.cli.app import app
from waferscope.infer import load_predictor
from waferscope.io import READERS, WRITERS
from waferscope.ml.evaluation.candidate import graph_hash
from waferscope.ml.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "src" / "waferscope" / "demo" / "demo_lot.stdf.gz"
# Its examples need a server: tests/service/test_api_docs.py runs them.
SERVED = {"api.md"}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HEADINGS = ["Context", "Options", "Decision", "Why", "Consequences"]

# Commands that take minutes or real data: their examples are checked word by word, not run.
# The same for commands that serve, or work on an installation.
LONG = {"train", "average", "weigh", "evaluate", "worst", "export", "serve", "work", "admin"}


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in one of the languages."""
    fenced = re.findall(r"^```(\w+)\n(.*?)^```", text(path), flags=re.MULTILINE | re.DOTALL)
    return [body for language, body in fenced if language in languages]


def test_each_recipe_is_in_the_table_of_recipes() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", text(ROOT / "docs" / "training.md"), flags=re.MULTILINE)
    named = {"few_labels", "few_fixmatch"}  # what they are for is told where they are compared
    assert set(RECIPES) - named == set(rows) & set(RECIPES)


def shell_examples(path: Path) -> list[list[str]]:
    """The words of each ``waferscope ...`` line in the page's shell blocks."""
    joined = "\n".join(blocks(path, "sh", "bash", "console")).replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines if "waferscope " in line]
    return [words for words in split if words and words[0] == "waferscope"]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the files that the examples speak of, as working directory."""
    shutil.copy(DEMO, tmp_path / "lot.stdf.gz")
    (tmp_path / "lots").mkdir()
    shutil.copy(DEMO, tmp_path / "lots" / "first.stdf.gz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", list(COMMANDS))
def test_each_command_and_option_is_in_the_cli_page(path: str) -> None:
    section = text(PAGE).split(f"\n## {path}\n")[1].split("\n## ")[0]
    spelled = {name for param in options(COMMANDS[path]) for name in param.opts if "-" in name}
    assert {name for name in spelled if f"`{name}`" not in section} == set()


def test_the_cli_page_is_fresh() -> None:
    assert text(PAGE) == render(app), "docs/cli.md is stale: run `make docs`"


@pytest.mark.parametrize("page", list(pages()), ids=label)
def test_the_results_are_those_of_the_report(page: Path) -> None:
    assert text(page) == pages()[page], f"{label(page)} is stale: run `make docs`"


def test_the_report_is_of_the_model_that_ships() -> None:
    said = read_report()["model"]
    assert said["graph"] == graph_hash(MODELS / "waferscope.onnx")
    info = load_predictor().model
    assert said["version"] == info.version
    assert list(said["mask_thresholds"].values()) == list(info.mask_thresholds)


def test_each_setting_is_documented() -> None:
    assert text(EXAMPLE) == render_example(), ".env.example is stale: run `make docs`"
    page = text(SETTINGS_PAGE)
    assert page == build_page(page), "docs/operations.md is stale: run `make docs`"


@pytest.mark.parametrize("path", list(COMMANDS))
def test_each_command_shows_an_example(path: str) -> None:
    assert path in (COMMANDS[path].help or "")


def test_each_format_has_a_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", text(ROOT / "docs" / "formats.md"), re.MULTILINE))
    assert rows == {*READERS, *(name for name, _ in WRITERS), "html"}


def test_each_error_is_documented() -> None:
    names = [name for name, _ in inspect.getmembers(errors, inspect.isclass)]
    page = text(ROOT / "docs" / "errors.md")
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_each_public_name_is_documented() -> None:
    page = text(ROOT / "docs" / "python.md")
    assert [name for name in waferscope.__all__ if f"`{name}" not in page] == []


def test_each_chore_is_described() -> None:
    chores = re.findall(r"^([a-z]+):.*?## ", text(ROOT / "Makefile"), flags=re.MULTILINE)
    page = text(ROOT / "CONTRIBUTING.md")
    assert len(chores) > 5
    assert [name for name in chores if f"`make {name}`" not in page] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=label)
def test_each_decision_has_its_headings(path: Path) -> None:
    assert re.findall(r"^## (.+)$", text(path), flags=re.MULTILINE) == HEADINGS
    assert path.name in text(path.parent / "README.md")


@pytest.mark.parametrize("path", PAGES, ids=label)
def test_links_lead_somewhere(path: Path) -> None:
    shown = re.sub(r"<!--.*?-->", "", text(path), flags=re.DOTALL)
    targets = [one.split("#")[0] for one in re.findall(r"\]\(([^)\s]+)\)", shown)]
    local = [one for one in targets if one and not one.startswith(("http", "mailto:"))]
    assert [one for one in local if not (path.parent / one).exists()] == []


def test_the_index_names_each_page() -> None:
    index = text(ROOT / "docs" / "index.md")
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md"]
    assert [name for name in pages if f"({name})" not in index] == []


PYTHON_PAGES = [p for p in PAGES if p.name not in SERVED and blocks(p, "python", "pycon")]


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("path", PYTHON_PAGES, ids=label)
def test_python_examples_run(path: Path) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    for body in blocks(path, "python", "pycon"):
        if ">>>" not in body:
            exec(compile(ast.parse(body), label(path), "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(body, names, label(path), label(path), 0)
        outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False)
        names.update(test.globs)
        assert outcome.failed == 0


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("path", [p for p in PAGES if shell_examples(p)], ids=label)
def test_shell_examples_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in shell_examples(path):
        if words[1] in LONG:
            called = next(" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in COMMANDS)
            params = COMMANDS[called].params
            known = {name for one in params for name in (*one.opts, *one.secondary_opts)}
            used = {word.split("=")[0] for word in words[2:] if word.startswith("-")}
            assert used <= known, shlex.join(words)
            continue
        code = main(words[1:])
        assert code == 0, f"{shlex.join(words)}\n{capsys.readouterr().err}"


def test_the_changelog_names_the_version() -> None:
    assert f"\n## {waferscope.__version__}" in text(ROOT / "CHANGELOG.md")
