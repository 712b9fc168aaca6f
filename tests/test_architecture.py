"""The rules of the house that no linter knows: sizes, layout, lazy imports, words, and leaks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "waferscope"
TESTS = ROOT / "tests"
ROOMS = ("cli", "domain", "infer", "io", "ml", "report", "service", "synth")

# Slow to import or absent from the base install: the command line loads them inside its commands.
HEAVY = {
    *("alembic", "cv2", "jinja2", "lightning", "matplotlib", "mlflow", "numpy", "onnx"),
    *("onnxruntime", "onnxscript", "PIL", "pyarrow", "pycocotools", "scipy", "shapely"),
    *("sqlalchemy", "torch", "torchmetrics"),
}

# Source files without a test file of their own, and what covers them.
UNMIRRORED = {
    "__main__.py": "one line; the documented commands run through it",
    "schemas.py": "shapes without code; the tests of the routes send and read them",
}
# Folders whose files are tested together: migrations by running all of them up, down and up.
UNMIRRORED_FOLDERS = {"migrations", "versions"}
# Test files without a source file of their own, and what they are about.
HOUSE_TESTS = {
    "test_api_docs.py": "the page on the HTTP API",
    "test_architecture.py": "the rules",
    "test_contract.py": "the whole OpenAPI document against broken requests",
    "test_demo.py": "the demo lot",
    "test_docs.py": "the documents",
    "test_first_steps.py": "the script of the first steps",
    "test_hostile.py": "every reader against broken files",
    "test_roles.py": "every route for every role",
}
# Folders of such files.
HOUSE_FOLDERS = {"attacks": "what an attacker would try, one file for each kind of attack"}

# Spelled in halves, so that this page does not break its own rules. A loop may count `now`.
UNFINISHED = [
    *("TO" + "DO", "FIX" + "ME", "HA" + "CK", "for" + r" now\b(?!, \w+ in )"),
    *("except" + r"( Exception)?:", r"mark\." + "xfail", r"mark\." + r"skip\("),
    "raise NotImplemented" + "Error",
]
LEAKS = [
    *("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "index" + "-url"),
    *("file:" + "///opt", "file:" + "///tmp", "file:" + "///var"),
    *("py" + "pi.org", "python" + "hosted", "registry" + ".npm", "deb." + "debian"),
]
VAGUE_NAMES = re.compile(r"(Manager|Helper|Utils?|Handler|Processor)$|^Base[A-Z]")


def python_files(*folders: str) -> list[Path]:
    return sorted(path for name in folders for path in (ROOT / name).rglob("*.py"))


EVERYWHERE = python_files("src", "tests", "benchmarks", "scripts", "docs")


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@cache
def functions(path: Path) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, the docstring not counted."""
    assert node.end_lineno is not None
    total = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None and first.end_lineno is not None:
        total -= first.end_lineno - first.lineno + 1
    return total


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([argument for argument in named if argument.arg not in {"self", "cls"}])


def is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a command of the command line, whose parameters are its options."""
    noted = [ast.unparse(one.annotation) for one in node.args.args if one.annotation is not None]
    return any("typer.Option" in text or "typer.Argument" in text for text in noted)


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): line_count(path) for path in EVERYWHERE}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}
    source = [line_count(path) for path in python_files("src")]
    assert np.percentile(source, 90) <= 250


def test_functions_are_short() -> None:
    lengths = {name: body_lines(node) for path in EVERYWHERE for name, node in functions(path)}
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    source = [body_lines(node) for path in python_files("src") for _, node in functions(path)]
    assert np.percentile(source, 90) <= 30


def test_functions_take_few_parameters() -> None:
    counts = {
        name: parameters(node)
        for path in python_files("src", "benchmarks", "scripts", "docs")
        for name, node in functions(path)
        if not is_command(node)
    }
    assert {name: count for name, count in counts.items() if count > 6} == {}


def has_code(path: Path) -> bool:
    """Whether the module does more than import, describe and name things."""
    inert = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
    return any(not isinstance(node, inert) for node in parse(path).body)


def names_of_tests(path: Path) -> set[Path]:
    """The places where a source file's test may be: the mirrored path, or flat in its room."""
    place = TESTS / path.relative_to(SOURCE).parent
    if path.name == "__init__.py":
        return {place / "test_init.py", place / f"test_{path.parent.name}.py"}
    stem = path.stem.lstrip("_")
    return {place / f"test_{stem}.py", place.parent / f"test_{place.name}_{stem}.py"}


def test_every_source_file_has_its_test() -> None:
    missing = [
        str(path.relative_to(SOURCE))
        for path in python_files("src")
        if has_code(path)
        and path.name not in UNMIRRORED
        and path.parent.name not in UNMIRRORED_FOLDERS
        and not any(place.is_file() for place in names_of_tests(path))
    ]
    assert missing == []


def test_every_test_file_has_its_source() -> None:
    known = {place for path in python_files("src") for place in names_of_tests(path)}
    strays = [
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if path not in known
        and path.name not in HOUSE_TESTS
        and path.parent.name not in HOUSE_FOLDERS
    ]
    assert strays == []


def test_tests_weigh_about_as_much_as_the_source() -> None:
    source = sum(map(line_count, python_files("src")))
    tests = sum(map(line_count, python_files("tests")))
    assert 0.7 <= tests / source <= 1.3, f"{tests} lines of tests, {source} of source"


def test_the_rooms_are_the_ones_drawn() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert folders <= set(ROOMS)


def top_level_imports(tree: ast.Module) -> set[str]:
    """Modules imported when the file is, those under ``if TYPE_CHECKING`` left out."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", python_files("src/waferscope/cli"), ids=lambda path: path.stem)
def test_cli_imports_what_is_slow_inside_functions(path: Path) -> None:
    imported = top_level_imports(parse(path))
    assert {name for name in imported if name.split(".")[0] in HEAVY} == set()
    assert {name for name in imported if name.startswith("waferscope.ml")} == set()


def imports_ml(node: ast.AST) -> bool:
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.module:
        modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return any(f"{name}.".startswith("waferscope.ml.") for name in modules)


def test_only_cli_and_ml_know_ml() -> None:
    files = python_files("src")
    outside = [path for path in files if path.relative_to(SOURCE).parts[0] not in {"cli", "ml"}]
    knowing = [path.name for path in outside if any(map(imports_ml, ast.walk(parse(path))))]
    assert knowing == []


@pytest.mark.parametrize("statement", ["import waferscope", "import waferscope.cli"])
def test_importing_is_cheap(statement: str) -> None:
    code = f"{statement}; import sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    paths = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=paths)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded & HEAVY == set()


def class_names() -> Iterator[tuple[Path, str]]:
    for path in python_files("src"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                yield path, node.name


def test_no_class_has_a_vague_name() -> None:
    assert [(path.name, name) for path, name in class_names() if VAGUE_NAMES.search(name)] == []


def tracked_files() -> list[Path]:
    """What git tracks; outside a checkout, what lies in the project's folders."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", "-z"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    folders = ("src", "tests", "docs", "scripts", "benchmarks", "requirements")
    return [p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            yield str(path.relative_to(ROOT)), content.decode("utf-8", errors="replace")


def test_nothing_is_left_unfinished() -> None:
    found = [
        (name, word)
        for name, text in texts()
        for word in UNFINISHED
        if re.search(rf"(?<!\w){word}", text)
    ]
    assert found == []


def test_nothing_names_a_machine_or_a_registry() -> None:
    assert [(name, word) for name, text in texts() for word in LEAKS if word in text] == []


SKIPS = {
    "tests/conftest.py": "the real wafers are not there",
    "tests/service/disks.py": "the machine does not let its tests mount a disk",
}
"""What a test may do without, and where it says so."""


def test_only_what_a_machine_lacks_skips_a_test() -> None:
    word = "pytest" + ".skip("
    assert {name for name, text in texts() if word in text} == set(SKIPS)


def test_no_committed_file_is_large() -> None:
    large = {
        str(path.relative_to(ROOT)): path.stat().st_size
        for path in tracked_files()
        if path.stat().st_size > 1_000_000 and path.suffix != ".onnx"
    }
    assert large == {}
    models = [path for path in tracked_files() if path.suffix == ".onnx"]
    assert all(path.stat().st_size <= 40_000_000 for path in models)
