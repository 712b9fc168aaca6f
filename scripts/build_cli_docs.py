"""Writes docs/cli.md: every command and option of the command line, from their own help."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, Final

import typer.main

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "cli.md"
HEAD: Final = """# The command line

Every command and option, written from their own `--help` by `make docs`:
edit the commands, not this page.
"""


def commands(command: Any, path: str = "waferscope") -> Iterator[tuple[str, Any]]:
    """Yield each command below a typer group with the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, one in below.items():
        if not one.hidden:
            yield from commands(one, f"{path} {name}")


def options(command: Any) -> Iterator[Any]:
    """Yield the parameters of a command that its help shows."""
    yield from (param for param in command.params if not getattr(param, "hidden", False))


def _spelling(param: Any) -> str:
    names = [*param.opts, *param.secondary_opts]
    if param.param_type_name == "argument":
        return f"`{param.name.upper()}{'...' if param.nargs == -1 else ''}`"
    return ", ".join(f"`{name}`" for name in names)


def _default(param: Any) -> str:
    if param.required:
        return "required"
    value = param.default
    plain = isinstance(value, str | int | float | PurePath) and not isinstance(value, bool)
    return f"`{value}`" if plain and str(value) else ""


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _section(path: str, command: Any) -> Iterator[str]:
    yield f"\n## {path}\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "").replace("\f", "") + "\n"
    shown = list(options(command))
    if shown:
        yield "| argument or option | meaning | default |\n|---|---|---|"
    for param in shown:
        yield f"| {_spelling(param)} | {_cell(param.help)} | {_default(param)} |"


def render(app: typer.Typer) -> str:
    """Return the whole page for a typer application."""
    root = typer.main.get_command(app)
    sections = [*_section("waferscope", root)]
    for path, command in commands(root):
        sections += _section(path, command)
    return HEAD + "\n".join(sections) + "\n"


def main() -> None:
    """Write the page."""
    from waferscope.cli.app import app

    PAGE.write_text(render(app), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
