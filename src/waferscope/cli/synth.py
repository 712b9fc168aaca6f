"""``waferscope synth``: synthetic wafers with exact masks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waferscope.cli import console
from waferscope.cli.synthetic import check_suffix, write_synthetic
from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.synth import SynthWafer

app = typer.Typer()
SHEET_WAFERS = 48
TRIES = 50
"""Times a wafer is drawn until it has every class that was asked for."""


@app.command("synth")
def synth(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write: .npz or .parquet.")
    ] = None,
    *,
    count: Annotated[int, typer.Option("--count", "-n", help="How many wafers.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same wafers.", min=0)] = 0,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes of every wafer, with commas, as far as there is room; drawn if left out."
        ),
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Grid of every wafer, ROWSxCOLS; drawn if left out.")
    ] = None,
    real: Annotated[
        list[str] | None,
        typer.Option(
            "--compose",
            metavar="FILE",
            help="Mix the patterns of these labelled real wafers instead; may be repeated.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Also draw the first 48 wafers into this PNG.")
    ] = None,
) -> None:
    """Make wafers whose masks are known die by die, for training and tests.

    With --compose, patterns of real wafers with one label each are laid over real wafers without
    one. Such sheets show wafers of others: look at them, do not publish them.

    Example: waferscope synth --count 500 --seed 7 --classes edge,scratch --output wafers.npz
    """
    from waferscope.domain.taxonomy import DEFAULT_TAXONOMY

    if output is None and sheet is None:
        raise InputError(
            "Expected --output or --sheet, got neither. Name a file for the wafers or the picture."
        )
    if output is not None:
        check_suffix(output)
    class_names = DEFAULT_TAXONOMY.class_names
    wanted = None if classes is None else tuple(c.strip() for c in classes.split(",") if c.strip())
    if real and wanted is not None:
        raise InputError(
            "Expected --classes or --compose, got both. Mixtures draw their patterns from the file."
        )
    grid = parse_shape(shape)
    made = _compose(real, seed, count, grid) if real else _build(seed, count, wanted, grid)
    if sheet is not None:
        from waferscope.report.sheet import write_sheet

        write_sheet(made[:SHEET_WAFERS], sheet)
        console.print_line(str(sheet))
    if output is not None:
        kind = "composed" if real else "synth"
        write_synthetic(made, output, prefix=f"{kind}-{seed}", class_names=class_names)
        console.print_line(str(output))


def parse_shape(text: str | None) -> tuple[int, int] | None:
    """Return (rows, cols) of ``64x48``, None for None; raise InputError for anything else.

    >>> parse_shape("64x48")
    (64, 48)
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text.strip())
    if match is None:
        raise InputError(f"Expected a shape like 64x64, got {text!r}. Give ROWSxCOLS in dies.")
    return int(match[1]), int(match[2])


def _build(
    seed: int,
    count: int,
    classes: tuple[str, ...] | None,
    shape: tuple[int, int] | None,
) -> list[SynthWafer]:
    made = []
    with console.progress() as bar:
        for index in bar.track(range(count), description="synth"):
            made.append(_build_whole((seed, index), classes, shape))
    lacking = sum(len(wafer.classes) < len(set(classes or ())) for wafer in made)
    if lacking:
        console.say_warning(
            f"{lacking:,} of {count:,} wafers lack a class that was asked for: there is no room "
            "for all. Ask for fewer classes or a larger grid."
        )
    return made


def _build_whole(
    seed: tuple[int, int], classes: tuple[str, ...] | None, shape: tuple[int, int] | None
) -> SynthWafer:
    """Return the first draw that has all the classes, or the one of `TRIES` that has the most."""
    import numpy as np

    from waferscope.synth import build_wafer

    best = build_wafer(np.random.default_rng(seed), shape=shape, classes=classes)
    wanted = len(set(classes or ()))
    for again in range(1, TRIES):
        if len(best.classes) >= wanted:
            break
        rng = np.random.default_rng((*seed, again))
        best = max(
            best, build_wafer(rng, shape=shape, classes=classes), key=lambda one: len(one.classes)
        )
    return best


def _compose(
    names: list[str], seed: int, count: int, shape: tuple[int, int] | None
) -> list[SynthWafer]:
    """Return mixtures of the wafers in some files that have one label or are labelled as free."""
    import numpy as np

    from waferscope.cli.inputs import WaferFiles, find_files
    from waferscope.synth.compose import build_pool

    wafers = WaferFiles(find_files(names), strict=True)
    pool = build_pool(
        (wafer.dies, wafer.patterns[0] if wafer.patterns else "none")
        for wafer in wafers
        if wafer.patterns is not None and len(wafer.patterns) < 2
    )
    if not pool.shapes or (shape is not None and shape not in pool.shapes):
        grids = ", ".join(f"{rows}x{cols}" for rows, cols in pool.shapes[:8]) or "none"
        raise InputError(
            f"Expected real wafers with one label each{' of this grid' if shape else ''}, got "
            f"grids {grids}. Give labelled wafers, such as those of waferscope data import."
        )
    made = []
    with console.progress() as bar:
        for index in bar.track(range(count), description="compose"):
            made.append(pool.draw(np.random.default_rng((seed, index)), shape))
    return made
