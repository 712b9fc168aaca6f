"""``waferscope read``: what is in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from waferscope.domain.wafermap import WaferMap

app = typer.Typer()
MAPS_SHOWN = 1
ROWS_SHOWN = 40


@app.command("read")
def read(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files, folders or globs of wafer maps.")
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per wafer instead.")
    ] = False,
    maps: Annotated[
        int, typer.Option(help="Draw the maps of the first N wafers.", min=0)
    ] = MAPS_SHOWN,
    source_format: FromOption = None,
    columns: MapOption = None,
    retests: RetestsOption = Retest.last,
    pass_bins: PassBinsOption = PASSING,
    klarf_classes: ClassesOption = None,
    min_defect_um: DefectSizeOption = 0.0,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")] = False,
) -> None:
    """Show what is in wafer files: wafers, grids, yields, bins, notes and a small map.

    The notes say what was guessed, dropped or found damaged.

    Example: waferscope read lot3.stdf.bz2 --maps 1
    """
    options = options_of(columns, retests, pass_bins, klarf_classes, min_defect_um)
    wafers = WaferFiles(find_files(files), strict=strict, options=options, format=source_format)
    if as_json:
        _print_json(wafers)
    else:
        _print_tables(wafers, maps)
    if wafers.skipped:
        raise typer.Exit(3)


def describe(wafer: WaferMap) -> dict[str, Any]:
    """Return what a wafer is, JSON-ready, without its dies."""
    wafer_yield = wafer.wafer_yield
    return {
        "wafer_id": wafer.wafer_id,
        "lot_id": wafer.lot_id,
        "slot": wafer.slot,
        "product": wafer.product,
        "step": wafer.step,
        "tester": wafer.tester,
        "tested_at": wafer.tested_at.isoformat() if wafer.tested_at else None,
        "rows": wafer.shape[0],
        "cols": wafer.shape[1],
        "dies": wafer.die_count,
        "fails": wafer.fail_count,
        "yield": wafer_yield if wafer.die_count else None,
        "notch": wafer.notch,
        "die_width_mm": wafer.die_width_mm,
        "die_height_mm": wafer.die_height_mm,
        "diameter_mm": wafer.diameter_mm,
        "centre": None if wafer.centre is None else list(wafer.centre),
        "bins": [{"bin": n, "name": name, "dies": dies} for n, name, dies in count_bins(wafer)],
        "patterns": None if wafer.patterns is None else list(wafer.patterns),
        "source": {"format": wafer.source.format, "name": wafer.source.name}
        if wafer.source
        else None,
        "notes": list(wafer.notes),
    }


def count_bins(wafer: WaferMap) -> list[tuple[int, str, int]]:
    """Return (bin, name, dies) of the hard bins, else the soft ones, most dies first."""
    import numpy as np

    if wafer.bins is None:
        return []
    hard = wafer.bins.hard is not None
    grid = wafer.bins.hard if hard else wafer.bins.soft
    names = wafer.bins.hard_names if hard else wafer.bins.soft_names
    if grid is None:
        return []
    numbers, counts = np.unique(grid[wafer.dies > 0], return_counts=True)
    found = [(int(n), names.get(int(n), ""), int(c)) for n, c in zip(numbers, counts, strict=True)]
    return sorted(found, key=lambda row: (-row[2], row[0]))


def _print_json(wafers: WaferFiles) -> None:
    import json

    for wafer in wafers:
        typer.echo(json.dumps(describe(wafer)))


def _print_tables(wafers: WaferFiles, maps: int) -> None:
    rows: list[tuple[str, ...]] = []
    drawn: list[WaferMap] = []
    notes = Notes()
    count = dies = fails = 0
    for wafer in wafers:
        count, dies, fails = count + 1, dies + wafer.die_count, fails + wafer.fail_count
        if len(rows) < ROWS_SHOWN:
            rows.append(_row(wafer))
        if len(drawn) < maps:
            drawn.append(wafer)
        notes.add(wafer)
    footer = f"{count:,} {'wafer' if count == 1 else 'wafers'}, {dies:,} dies, {fails:,} fail"
    footer += f" (yield {1 - fails / dies:.1%})" if dies else ""
    if count > len(rows):
        footer = f"and {count - len(rows):,} more\n{footer}"
    console.print_table(
        [
            ("wafer", "left"),
            ("lot", "left"),
            ("format", "left"),
            ("grid", "right"),
            ("dies", "right"),
            ("yield", "right"),
            ("bins (dies), top 5", "left"),
            ("labels", "left"),
        ],
        rows,
        footer,
    )
    notes.print()
    for wafer in drawn:
        _print_map(wafer)


def _row(wafer: WaferMap) -> tuple[str, ...]:
    bins = ", ".join(
        f"{n} {name} ({dies:,})" if name else f"{n} ({dies:,})"
        for n, name, dies in count_bins(wafer)[:5]
    )
    labels = "" if wafer.patterns is None else ", ".join(wafer.patterns) or "none"
    return (
        wafer.wafer_id or "unnamed",
        wafer.lot_id or "",
        wafer.source.format if wafer.source else "",
        f"{wafer.shape[0]}x{wafer.shape[1]}",
        f"{wafer.die_count:,}",
        f"{wafer.wafer_yield:.1%}" if wafer.die_count else "–",
        bins,
        labels,
    )


def _print_map(wafer: WaferMap) -> None:
    from waferscope.cli.terminal import draw_color, draw_plain

    console.print_line(f"\n{wafer.wafer_id or 'unnamed'}, notch {wafer.notch}"[1:])
    target = console.out()
    if target.color_system is None or target.no_color:
        typer.echo(draw_plain(wafer.dies))
        typer.echo("· pass  # fail")
    else:
        target.print(draw_color(wafer.dies), soft_wrap=True)
