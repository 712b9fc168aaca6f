"""``waferscope data``: public sets of wafers, made ready for training."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from waferscope.cli import console
from waferscope.errors import FormatError

if TYPE_CHECKING:
    from waferscope.domain.wafermap import WaferMap
    from waferscope.io.dataset import Dataset

app = typer.Typer(
    help="Public sets of wafers, made ready for training.\n\n"
    "Example: waferscope data import wm811k LSWMD.pkl --output data",
    no_args_is_help=True,
)


class PublicSet(StrEnum):
    """The sets that are known by name."""

    wm811k = "wm811k"
    mixedwm38 = "mixedwm38"


_FORMATS: Final = {PublicSet.wm811k: "lswmd", PublicSet.mixedwm38: "mixedwm38"}


@app.command("import")
def import_set(
    name: Annotated[PublicSet, typer.Argument(help="Which set: wm811k or mixedwm38.")],
    file: Annotated[
        Path, typer.Argument(help="The file as published: LSWMD.pkl, or the .npz of MixedWM38.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for train.parquet, val.parquet ...")
    ],
    seed: Annotated[int, typer.Option(help="The same seed gives the same splits.", min=0)] = 0,
    val: Annotated[float, typer.Option(help="Share of the labelled wafers for val.")] = 0.25,
    test: Annotated[float, typer.Option(help="Share of the labelled wafers for test.")] = 0.0,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Keep wafers without a label in their own file.")
    ] = False,
) -> None:
    """Check a public set, keep each map once, split it by lots, write Parquet.

    Example: waferscope data import wm811k LSWMD.pkl --output data/wm811k --seed 7
    """
    from waferscope.io import read
    from waferscope.io.dataset import Shares, build_dataset, dataset_bytes
    from waferscope.io.files import make_folder, write_whole

    shares = Shares(val, test, seed)
    wafers = read(file, _FORMATS[name])
    made = build_dataset(wafers, shares, unlabelled)
    if "train" not in made.parts:
        raise FormatError(
            f"Expected labelled wafers in {file}, got none to keep. Check which file it is."
        )
    make_folder(output)
    for split, part in made.parts.items():
        write_whole(output / f"{split}.parquet", dataset_bytes(part, made.lots))
    _say(made, wafers, output)


def _say(made: Dataset, wafers: list[WaferMap], output: Path) -> None:
    from waferscope.io.dataset import count_labels

    counts = {split: count_labels(part) for split, part in made.parts.items()}
    labels = sorted({label for found in counts.values() for label in found})
    rows = [
        (split, f"{len(part):,}", *(f"{counts[split][label]:,}" for label in labels))
        for split, part in made.parts.items()
    ]
    console.print_table(
        [("split", "left"), ("wafers", "right"), *((label, "right") for label in labels)], rows
    )
    console.print_line(f"read: {len(wafers):,} wafers, {len(made.lots):,} lots")
    for why, count in made.left_out.items():
        console.print_line(f"left out: {count:,} {why}")
    for note, count in _notes(wafers).items():
        console.print_line(f"note: {note} ({count:,} wafers)")
    for split in made.parts:
        console.print_line(str(output / f"{split}.parquet"))


def _notes(wafers: list[WaferMap]) -> dict[str, int]:
    """Return what the reader said, and sizes that differ, by how many wafers it concerns."""
    notes: dict[str, int] = {}
    for wafer in wafers:
        size = wafer.source.extra.get("die_size") if wafer.source else None
        differs = size is not None and size != wafer.die_count
        said = ("the file counts other dies than the map has",) if differs else ()
        for note in (*wafer.notes, *said):
            kind = note.partition(":")[0]
            notes[kind] = notes.get(kind, 0) + 1
    return notes
