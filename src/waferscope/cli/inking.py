"""Which bins the classes of predictions get in files for an inker, as options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.domain.inking import BinMapping

BinsOption = Annotated[
    str | None,
    typer.Option(
        "--bins",
        metavar="CLASS=BIN,...",
        help="Bins that the dies of classes get in e142, g85 and sinf; needed for these.",
    ),
]
NeighbourBinOption = Annotated[
    int | None,
    typer.Option(
        help="Bin for good dies close to dies of these classes, which then fail; none if left out."
    ),
]
RadiusOption = Annotated[
    int, typer.Option(help="How close, in dies: 1 are the eight neighbours.", min=1)
]


def mapping_of(bins: str | None, neighbour_bin: int | None, radius: int) -> BinMapping | None:
    """Return what a command was given as a bin mapping, None where it was given no bins.

    Raises InputError for what is no list of CLASS=BIN, and for bins that cannot be.
    """
    if bins is None:
        if neighbour_bin is not None:
            raise InputError(
                "Expected --bins beside --neighbour-bin, got none. "
                "Say whose neighbours they are, such as --bins scratch=21."
            )
        return None
    from waferscope.domain.inking import BinMapping

    return BinMapping(parse_bins(bins), neighbour_bin, radius)


def parse_bins(text: str) -> dict[str, int]:
    """Return the bin of each class; raise InputError for what is no CLASS=BIN.

    >>> parse_bins("scratch=21, edge = 30")
    {'scratch': 21, 'edge': 30}
    """
    found: dict[str, int] = {}
    for pair in text.split(","):
        name, _, number = (part.strip() for part in pair.partition("="))
        plain = number.isascii() and number.isdigit() and len(number) <= 5
        if not name or not plain or name in found:
            raise InputError(
                f"Expected CLASS=BIN with commas, each class once, got {text!r:.80}. "
                "Write it like --bins scratch=21,edge=22."
            )
        found[name] = int(number)
    return found
