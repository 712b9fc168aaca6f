"""The command line as a whole: codes, errors in one line, cheap help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.main
from typer.testing import CliRunner

import waferscope
from tests.cli.conftest import Run
from waferscope.cli import app as app_file
from waferscope.cli.app import app, main

SOURCE = Path(waferscope.__file__).parents[1]
HEAVY = {"numpy", "scipy", "onnxruntime", "torch", "PIL", "pyarrow", "jinja2", "shapely", "cv2"}


def spawn(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "waferscope", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "120", **environment},
    )


def paths() -> list[list[str]]:
    """Every command and group, as the words that call it."""
    root = typer.main.get_command(app)
    found: list[list[str]] = [[]]
    for name, command in getattr(root, "commands", {}).items():
        found.append([name])
        found += [[name, inner] for inner in getattr(command, "commands", {})]
    return found


def test_the_commands_are_there() -> None:
    expected = {"read", "predict", "report", "synth", "train", "evaluate", "export", "model"}
    assert {words[0] for words in paths() if words} >= expected


@pytest.mark.parametrize("words", paths(), ids=lambda words: " ".join(words) or "root")
def test_help_shows_an_example_that_begins_with_the_command(words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="waferscope")
    assert done.exit_code == 0
    text = " ".join(done.output.split())
    assert f"Example: {' '.join(['waferscope', *words])}" in text


def test_version(run: Run) -> None:
    done = run("--version")
    assert done.code == 0
    assert done.out.strip() == f"waferscope {waferscope.__version__}"


@pytest.mark.parametrize(
    "words", [["nope"], ["predict"], ["read", "--nope"], ["predict", "x", "--threshold", "2"]]
)
def test_a_command_line_that_makes_no_sense_is_code_2(run: Run, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert "--help" in done.err


def test_an_error_is_one_line_with_its_cure(run: Run, tmp_path: Path) -> None:
    done = run("read", tmp_path / "missing.stdf")
    assert done.code == 1
    assert done.err.startswith("error: Expected a file")
    assert done.err.count("\n") == 1
    assert "Check the path" in done.err


@pytest.mark.parametrize("at", [0, 1, 2])
def test_debug_lets_the_error_rise_wherever_it_stands(tmp_path: Path, at: int) -> None:
    words = ["read", str(tmp_path / "missing")]
    words.insert(at, "--debug")
    with pytest.raises(waferscope.InputError):
        main(words)


def raise_in_read(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("waferscope.cli.read.find_files", fail)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped"),
        (typer.Abort(), 130, "stopped"),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
        (PermissionError(13, "Permission denied", "x.csv"), 1, "'x.csv': Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left"),
        (MemoryError(), 1, "not enough memory"),
        (ZeroDivisionError("division by zero"), 1, "defect of waferscope"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_happens_there_is_no_traceback(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(app_file, "_close_stdout", lambda: 1)
    raise_in_read(monkeypatch, error)
    done = run("read", "x")
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_control_characters_of_a_name_do_not_reach_the_terminal(run: Run) -> None:
    done = run("read", "\x1b[2Jevil\nfile")
    assert "\x1b" not in done.err
    assert done.err.count("\n") == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from waferscope.cli import main; code = main(['predict', '--help']); "
        "print(code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "0"
    assert {name.split(".")[0] for name in last[1:]} & HEAVY == set()


def test_the_program_runs_as_a_module() -> None:
    assert spawn("--version").stdout.startswith("waferscope ")
    assert spawn("nope").returncode == 2


def test_a_closed_pipe_is_quiet(lot_file: Path) -> None:
    command = f"'{sys.executable}' -m waferscope read '{lot_file}' --json | true"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert done.stderr == ""


def test_no_color_is_honoured(lot_file: Path) -> None:
    plain = spawn("read", str(lot_file), FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[3" not in plain.stdout
    assert "##" in plain.stdout
    coloured = spawn("read", str(lot_file), FORCE_COLOR="1", COLORTERM="truecolor", TERM="xterm")
    assert "\x1b[" in coloured.stdout
    assert "▀" in coloured.stdout
