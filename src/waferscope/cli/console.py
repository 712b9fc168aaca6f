"""What commands print with: tables on stdout, progress and errors on stderr.

rich honours NO_COLOR and writes plain text where the output is no terminal.
"""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Side = Literal["left", "right"]
NARROWEST = 100
"""Columns assumed where the output is no terminal, so that tables in logs are not cut short."""


def clean(text: str) -> str:
    r"""Return text that cannot steer a terminal: control characters become ``?``.

    >>> clean("W1\x1b[2J")
    'W1?[2J'
    """
    return "".join("?" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text)


def out() -> Console:
    """Return the console of the results."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else max(NARROWEST, shutil.get_terminal_size().columns)
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def err() -> Console:
    """Return the console of progress and remarks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say_error(message: str) -> None:
    """Print ``error: message`` on stderr, in one line."""
    _say("error", message, "bold red")


def say_warning(message: str) -> None:
    """Print ``warning: message`` on stderr, in one line."""
    _say("warning", message, "yellow")


def say_progress(message: str) -> None:
    """Print what is being done on stderr, dimmed, in one line."""
    from rich.text import Text

    err().print(Text(clean(message), style="dim"), soft_wrap=True)


def _say(kind: str, message: str, style: str) -> None:
    from rich.text import Text

    line = " ".join(message.split())
    err().print(Text(f"{kind}: ", style=style), Text(clean(line)), sep="", soft_wrap=True)


def print_table(
    columns: Sequence[tuple[str, Side]], rows: Iterable[Sequence[object]], footer: str = ""
) -> None:
    """Print rows under named columns; cells are shown as plain text, never as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name, side in columns:
        table.add_column(name, justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(c if isinstance(c, Text) else Text(clean(str(c))) for c in row))
    console = out()
    console.print(table)
    if footer:
        console.print(Text(footer))


def print_line(text: str) -> None:
    """Print one line of plain text on stdout, never wrapped."""
    sys.stdout.write(clean(text) + "\n")


def print_aside(text: str) -> None:
    """Print one line of plain text on stderr, never wrapped."""
    sys.stderr.write(clean(text) + "\n")


def sign(wanted: str, plain: str) -> str:
    """Return a sign, or its stand-in where the encoding of stdout lacks it."""
    try:
        wanted.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return plain
    return wanted


def progress() -> Progress:
    """Return a progress bar on stderr with count, rate and time left; silent off a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Wafers per second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} wafers/s", style="cyan")

    console = err()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
