"""The rules of the service that no linter knows: transactions, SQL, nouns, authority, errors."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from waferscope.service.app import PUBLIC
from waferscope.service.auth.identity import Authority
from waferscope.service.middleware import PAGES

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "src" / "waferscope" / "service"
FILES = sorted(SERVICE.rglob("*.py"))
NOUN_FILES = {"__init__.py", "routes.py", "schemas.py", "store.py"}
NOUNS = sorted(path.parent.name for path in SERVICE.glob("*/routes.py"))
# They are asked by everybody; `jobs` and `learning` may look at the stores of others.
SHARED = {"auth"}
LOOKING = {"jobs", "learning"}


SQL_NAMES = {"select", "insert", "update", "delete", "text", "func"}
SESSION_CALLS = {
    *("add", "add_all", "delete", "execute", "flush", "get", "get_one", "merge", "scalar"),
    *("scalars", "query", "bulk_save_objects"),
}
SQL_FILES = {"store.py", "db.py", "migrate.py"}


def label(path: Path) -> str:
    return str(path.relative_to(SERVICE))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def method(call: ast.Call) -> tuple[str, str]:
    """The name called on, and the name called: ``session``, ``add``."""
    if not isinstance(call.func, ast.Attribute):
        return "", ""
    on = call.func.value
    return (on.id if isinstance(on, ast.Name) else ""), call.func.attr


def test_only_the_records_commit() -> None:
    ending = {"commit", "rollback"}
    found = [label(path) for path in FILES for call in calls(path) if method(call)[1] in ending]
    assert set(found) == {"db.py"}


def test_a_dependency_that_yields_ends_before_the_answer_leaves() -> None:
    late = []
    for path in FILES:
        yielding = {
            node.name
            for node in ast.walk(tree(path))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and any(isinstance(inner, ast.Yield) for inner in ast.walk(node))
        }
        for call in calls(path):
            if not (isinstance(call.func, ast.Name) and call.func.id == "Depends" and call.args):
                continue
            scoped = any(word.arg == "scope" for word in call.keywords)
            if ast.unparse(call.args[0]) in yielding and not scoped:
                late.append(label(path))
    assert late == []


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.name not in SQL_FILES and p.parent.name not in {"tables", "versions"}],
    ids=label,
)
def test_sql_is_in_stores_alone(path: Path) -> None:
    names = {name for name in imports(path) if name.startswith("sqlalchemy")}
    assert {name for name in names if name.rsplit(".", 1)[1] in SQL_NAMES} == set()
    spoken = [method(call) for call in calls(path)]
    assert [verb for on, verb in spoken if on == "session" and verb in SESSION_CALLS] == []


@pytest.mark.parametrize("noun", NOUNS)
def test_nouns_do_not_know_each_other(noun: str) -> None:
    others = set(NOUNS) - {noun} - SHARED
    known = {
        name.split(".")[2]
        for path in (SERVICE / noun).rglob("*.py")
        for name in imports(path)
        if name.startswith("waferscope.service.") and name.count(".") >= 2
        if not (noun in LOOKING and ".store" in name)
    }
    assert known & others == set()


@pytest.mark.parametrize("noun", NOUNS)
def test_nouns_have_the_same_files(noun: str) -> None:
    assert {path.name for path in (SERVICE / noun).glob("*.py")} >= NOUN_FILES


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_that_grows_is_two_nouns(noun: str) -> None:
    assert len((SERVICE / noun / "routes.py").read_text("utf-8").splitlines()) <= 250


def test_errors_know_no_http() -> None:
    raised = [label(path) for path in FILES for name in imports(path) if "HTTPException" in name]
    assert raised == ["errors.py"]  # where those of the framework are answered
    page = (ROOT / "src" / "waferscope" / "errors.py").read_text("utf-8")
    assert "http" not in page.lower()


def authorities(dependant: Dependant) -> Iterator[Authority]:
    if isinstance(dependant.call, Authority):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from authorities(inner)


def routes(app: FastAPI) -> Iterator[tuple[str, Dependant]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.path not in PAGES:
            verbs = sorted(route.methods or ())
            yield from ((f"{verb} {route.path}", route.dependant) for verb in verbs)


def test_every_route_is_closed_or_on_the_public_list(api: FastAPI) -> None:
    open_ones = {name for name, needs in routes(api) if not list(authorities(needs))}
    assert open_ones == set(PUBLIC)
    assert len(list(routes(api))) > len(PUBLIC)


def test_importing_the_app_loads_no_torch() -> None:
    code = "import waferscope.service.app, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded & {"torch", "lightning", "mlflow", "torchmetrics", "onnxscript"} == set()
