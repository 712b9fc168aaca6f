"""``waferscope predict``: wafers in, masks, labels and a report out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waferscope.cli import console
from waferscope.cli.inking import BinsOption, NeighbourBinOption, RadiusOption, mapping_of
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
    from waferscope.cli.outputs import Results
    from waferscope.domain.prediction import Prediction
    from waferscope.report.rows import WaferRow

FormatsOption = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="Any of csv, json, parquet, coco, coco_polygons, mask_png, png, klarf, e142, g85, "
        "sinf, html, with commas.",
    ),
]
app = typer.Typer()
EXIT_SKIPPED = 3
ROWS_SHOWN = 25


@app.command("predict")
def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Files, folders or globs; gz, bz2, xz and zip are unpacked."
        ),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "waferscope-results"
    ),
    formats: FormatsOption = "csv,html",
    model: Annotated[
        Path | None, typer.Option(help="Model file; the released model if left out.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="One mask threshold for all classes, 0 to 1.", min=0.0, max=1.0),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Processor threads; all if left out.", min=1)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Stop after N wafers.", min=1)] = None,
    bins: BinsOption = None,
    neighbour_bin: NeighbourBinOption = None,
    neighbour_radius: RadiusOption = 1,
    source_format: FromOption = None,
    columns: MapOption = None,
    retests: RetestsOption = Retest.last,
    pass_bins: PassBinsOption = PASSING,
    klarf_classes: ClassesOption = None,
    min_defect_um: DefectSizeOption = 0.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad file instead of skipping it.")
    ] = False,
) -> None:
    """Mark the dies of every wafer and write tables, overlays and a report.

    Files about all wafers, and folders of one file per wafer: overlays (png), masks (mask_png),
    and maps for a prober or an inker (e142, g85, sinf). A KLARF file comes back whole (klarf),
    with class and cluster of each defect in it.

    What cannot be read or written is reported and skipped, in a zip as in a folder, and the exit
    code is 3 at the end. Notes say what was guessed, dropped or found damaged in the rest.
    The last line printed is the path of the report, or of the folder without one.

    Example: waferscope predict lots/*.stdf.gz --output results --format csv,html,coco
    """
    from waferscope.cli.outputs import open_outputs, parse_formats
    from waferscope.infer import load_predictor

    chosen, mapping = parse_formats(formats), mapping_of(bins, neighbour_bin, neighbour_radius)
    options = options_of(columns, retests, pass_bins, klarf_classes, min_defect_um)
    wafers = WaferFiles(
        find_files(paths), strict=strict, limit=limit, options=options, format=source_format
    )
    predictor = load_predictor(model, threads)
    with open_outputs(output, chosen, mapping) as outputs:
        shown = _run(predictor.predict_stream(wafers, threshold=threshold), wafers, outputs)
        if not shown.wafers:
            raise InputError(
                f"Expected at least one wafer in {wafers.count} files, got none. "
                "Look at them with waferscope read."
            )
    _print_shown(shown, outputs.report is not None)
    if wafers.skipped:
        console.say_warning(f"{len(wafers.skipped)} of {wafers.count} files were skipped.")
    console.print_line(str(outputs.report or output))
    if wafers.skipped or outputs.refused:
        raise typer.Exit(EXIT_SKIPPED)


@dataclass
class _Shown:
    """The first rows, and of all wafers how many there were, the conflicts and the notes."""

    wafers: int = 0
    conflicted: int = 0
    rows: list[WaferRow] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)


def _run(predictions: Iterator[Prediction], wafers: WaferFiles, outputs: Results) -> _Shown:
    shown = _Shown()
    with console.progress() as bar:
        task = bar.add_task("predict", total=None)
        for prediction in predictions:
            row = outputs.add(prediction)
            shown.wafers += 1
            shown.conflicted += bool(row.conflicts)
            shown.notes.add(prediction.wafer)
            if len(shown.rows) < ROWS_SHOWN:
                shown.rows.append(row)
            bar.update(task, advance=1, total=wafers.expected)
    return shown


def _print_shown(shown: _Shown, reported: bool) -> None:
    """Print the table, what disagrees in it, and on stderr the notes."""
    dash, mark = console.sign("–", "-"), console.sign("⚠", "!")
    rows = [
        (
            (row.wafer_id or "unnamed") + (f" {mark}" if row.conflicts else ""),
            f"{row.wafer_yield:.1%}" if row.die_count else dash,
            ", ".join(name for name, _ in row.labels) or "none",
            ", ".join(f"{name} {dies:,}" for name, dies in row.present) or dash,
            f"{row.severity:.0f} {row.severity_level}",
        )
        for row in shown.rows
    ]
    more, conflicted = shown.wafers - len(rows), shown.conflicted
    footer = [f"and {more:,} more"] if more > 0 else []
    if conflicted:
        which = "1 wafer" if conflicted == 1 else f"{conflicted:,} wafers"
        where = ", see the report" if reported else ""
        footer.append(f"{which}: masks and labels disagree ({mark}){where}")
    console.print_table(
        [
            ("wafer", "left"),
            ("yield", "right"),
            ("labels", "left"),
            ("classes (failing dies)", "left"),
            ("severity", "right"),
        ],
        rows,
        "\n".join(footer),
    )
    shown.notes.print(console.print_aside)
