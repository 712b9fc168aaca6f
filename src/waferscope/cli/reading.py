"""How files are to be read, as options: the same for every command that reads wafers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from waferscope.cli import console
from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.domain.wafermap import WaferMap
    from waferscope.io.formats import ReadOptions

NOTES_SHOWN: Final = 20
PASSING: Final = "1"
ROLES: Final = ("wafer", "lot", "x", "y", "row", "col", "bin", "pass")


class Retest(StrEnum):
    """Which result of a die that was tested more than once counts."""

    last = "last"
    first = "first"
    worst = "worst"


def known_format(name: str | None) -> str | None:
    """Return the name of a format that can be read, or None; another one is a usage error."""
    if name is None:
        return None
    from waferscope.io import READERS

    if name not in READERS:
        raise typer.BadParameter(
            f"Expected one of the formats {', '.join(READERS)}, got {name!r}. "
            "Leave it out to let the content tell."
        )
    return name


FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Format of the files; their content tells if left out.",
        callback=known_format,
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="ROLE=COLUMN",
        help=f"Column of a table that has a role ({', '.join(ROLES)}); may be repeated.",
    ),
]
RetestsOption = Annotated[
    Retest, typer.Option(help="Which result of a die tested more than once counts.")
]
PassBinsOption = Annotated[
    str, typer.Option(help="Bins that pass, with commas, where a table has bins alone.")
]


ClassesOption = Annotated[
    str | None,
    typer.Option(help="KLARF classes whose defects make a die fail, with commas; all if left out."),
]
DefectSizeOption = Annotated[
    float, typer.Option(help="Smallest KLARF defect that makes a die fail, in um.", min=0.0)
]


def options_of(
    columns: Sequence[str] | None = None,
    retests: Retest = Retest.last,
    pass_bins: str = PASSING,
    klarf_classes: str | None = None,
    min_defect_um: float = 0.0,
) -> ReadOptions:
    """Return what a command was given as options of `waferscope.io.read`."""
    from waferscope.io.formats import ReadOptions

    return ReadOptions(
        retests=retests.value,
        columns=parse_map(columns or ()),
        pass_bins=parse_numbers(pass_bins, "bins"),
        klarf_classes=None if klarf_classes is None else parse_numbers(klarf_classes, "classes"),
        min_defect_um=min_defect_um,
    )


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """Return the column of each role; raise InputError for what is no ROLE=COLUMN.

    >>> parse_map(["x=Die X", "bin=HB"])
    {'x': 'Die X', 'bin': 'HB'}
    """
    found: dict[str, str] = {}
    for pair in pairs:
        role, equals, column = (part.strip() for part in pair.partition("="))
        if role not in ROLES or not equals or not column or role in found:
            raise InputError(
                f"Expected ROLE=COLUMN with a role of {', '.join(ROLES)}, each once, got {pair!r}. "
                "Write it like --map x=DieX."
            )
        found[role] = column
    return found


def parse_numbers(text: str, what: str) -> tuple[int, ...]:
    """Return the bins, or classes, of ``1,2``; raise InputError for anything else.

    >>> parse_numbers("1, 7", "bins")
    (1, 7)
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise InputError(f"Expected {what} such as 1 or 1,2, got {text!r}. Give whole numbers.")
    return tuple(int(part) for part in parts)


class Notes:
    """What readers guessed, dropped and counted, each note once with how many wafers have it."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, wafer: WaferMap) -> None:
        """Count the notes of a wafer."""
        for note in wafer.notes:
            self._counts[note] = self._counts.get(note, 0) + 1

    def print(self, say: Callable[[str], None] = console.print_line) -> None:
        """Print the notes, the first ones in full and the rest as a number."""
        for note, times in list(self._counts.items())[:NOTES_SHOWN]:
            say(f"note: {note}" + (f" ({times:,} wafers)" if times > 1 else ""))
        if len(self._counts) > NOTES_SHOWN:
            more = len(self._counts) - NOTES_SHOWN
            say(f"and {more:,} more notes: see waferscope read --json")
