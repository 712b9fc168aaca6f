"""The command ``waferscope``: its commands, and what every one of them does with an error.

Exit codes: 0 done; 1 an error of the data, the model or the machine; 2 a command line that cannot
be understood; 3 done, but files were skipped; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

import waferscope
from waferscope.cli import (
    admin,
    average,
    convert,
    data,
    learn,
    model,
    predict,
    read,
    report,
    service,
    synth,
    weigh,
)
from waferscope.cli.console import say_error
from waferscope.errors import WaferScopeError

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPT: Final = 130

# typer carries its own copy of click in some releases; the class is found, not imported.
_USAGE_ERROR: Final = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

app = typer.Typer(
    name="waferscope",
    help="Mark on every die of a wafer which defect mechanism it belongs to.\n\n"
    "Example: waferscope predict lot.stdf --output results",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (read, convert, predict, report, synth, learn, average, weigh, service):
    app.add_typer(group.app)
app.add_typer(model.app, name="model")
app.add_typer(data.app, name="data")
app.add_typer(admin.app, name="admin")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"waferscope {waferscope.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del version, debug  # both act before any command runs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors become one line on stderr.

    ``--debug`` anywhere before ``--`` lets them rise as they are.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command, debug = _take_debug(given)
    try:
        code = app(command, prog_name="waferscope", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPT
    except BrokenPipeError:
        return _close_stdout()
    except SystemExit as stop:
        return _close_stdout() if stop.code not in (0, None) else 0
    except Exception as error:
        if debug:
            raise
        return _explain(error)
    if code == EXIT_INTERRUPT:
        say_error("stopped.")
    return code if isinstance(code, int) else 0


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [a for a in arguments[:end] if a != "--debug"]
    return kept + arguments[end:], len(kept) < end


def _explain(error: Exception) -> int:
    """Say an error in one line and return its exit code; what nobody foresaw rises again."""
    if isinstance(error, _USAGE_ERROR):
        say_error(f"{_usage_message(error)} See waferscope --help.")
        return EXIT_USAGE
    if isinstance(error, WaferScopeError):
        say_error(str(error))
        return EXIT_ERROR
    if isinstance(error, OSError):
        where = f"{error.filename!r}: " if error.filename else ""
        say_error(f"{where}{error.strerror or error}. Check the path, its rights and free space.")
        return EXIT_ERROR
    if isinstance(error, MemoryError):
        say_error("not enough memory. Give fewer files at once, or use --limit.")
        return EXIT_ERROR
    say_error(
        f"{type(error).__name__}: {error}. This is a defect of waferscope; "
        "run again with --debug and report what it prints."
    )
    return EXIT_ERROR


def _usage_message(error: Any) -> str:
    return str(error.format_message())


def _close_stdout() -> int:
    """Point stdout nowhere, for its reader went away and the interpreter would complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    return EXIT_ERROR
