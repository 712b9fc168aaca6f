"""``waferscope convert``: wafers from one format into another, and what that loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waferscope.cli import console
from waferscope.cli.inputs import WaferFiles, find_files
from waferscope.cli.reading import (
    PASSING,
    ClassesOption,
    DefectSizeOption,
    FromOption,
    MapOption,
    Notes,
    PassBinsOption,
    Retest,
    RetestsOption,
    options_of,
)
from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.domain.wafermap import WaferMap

app = typer.Typer()


@app.command("convert")
def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="File, folder or glob of wafer maps.")
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="File to write; its suffix tells the format. Pictures: a folder."
        ),
    ],
    *,
    to: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Format to write; the suffix of OUT if left out."),
    ] = None,
    source_format: FromOption = None,
    columns: MapOption = None,
    retests: RetestsOption = Retest.last,
    pass_bins: PassBinsOption = PASSING,
    klarf_classes: ClassesOption = None,
    min_defect_um: DefectSizeOption = 0.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse damaged files instead of their sound part.")
    ] = False,
) -> None:
    """Write wafers in another format, and say what that format cannot hold.

    Example: waferscope convert lot.stdf.gz lot.parquet
    """
    options = options_of(columns, retests, pass_bins, klarf_classes, min_defect_um)
    files = find_files([source])
    _check_apart(files, target)
    wafers = WaferFiles(files, strict=strict, options=options, format=source_format)
    read = list(wafers)
    if not read:
        raise InputError(f"Expected wafers in {source}, got none. Check what wrote the files.")
    _write(read, target, to)
    if wafers.skipped:
        raise typer.Exit(3)


def _check_apart(files: list[Path], target: Path) -> None:
    if target.exists() and any(target.samefile(file) for file in files):
        raise InputError(
            f"Expected OUT to be another file than IN, got {str(target)!r} twice. Name a new file."
        )


def _write(wafers: list[WaferMap], target: Path, to: str | None) -> None:
    from waferscope.io import READERS, write, writer_for
    from waferscope.io.losses import find_losses

    writer = writer_for(target, to)
    lost = find_losses(wafers, writer, READERS)
    written = write(wafers, target, to)
    notes = Notes()
    for wafer in wafers:
        notes.add(wafer)
    notes.print()
    for part, count in lost.items():
        console.print_line(f"lost: {part} ({count:,} of {len(wafers):,} wafers)")
    many = "wafer" if len(wafers) == 1 else "wafers"
    console.print_line(f"{len(wafers):,} {many} as {writer.name} ({writer.about})")
    console.print_line(str(written[0] if len(written) == 1 else written[0].parent))
