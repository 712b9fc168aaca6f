"""``waferscope report``: one HTML file about wafers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waferscope.cli import console
from waferscope.cli.inputs import WaferFiles, find_files

app = typer.Typer()


@app.command("report")
def report(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders or globs of wafer maps.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")] = Path(
        "report.html"
    ),
    title: Annotated[
        str | None, typer.Option(help="Title of the report; the lot's name if left out.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model file; the released model if left out.")
    ] = None,
    wafers: Annotated[int, typer.Option(help="Wafers shown in the gallery.", min=0)] = 60,
    rows: Annotated[int, typer.Option(help="Wafers listed in the table.", min=0)] = 500,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")] = False,
) -> None:
    """Predict wafers and write the HTML report alone, complete in one file.

    Example: waferscope report lot3.stdf.bz2 --output lot3.html --title "Lot 3"
    """
    from waferscope.infer import load_predictor
    from waferscope.report.html import write_summary
    from waferscope.report.summary import LotSummary, update

    files = WaferFiles(find_files(paths), strict=strict)
    summary = LotSummary(gallery_limit=wafers, table_limit=rows)
    predictor = load_predictor(model)
    with console.progress() as bar:
        task = bar.add_task("report", total=None)
        for prediction in predictor.predict_stream(files):
            update(summary, prediction)
            bar.update(task, advance=1, total=files.expected)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_summary(summary, output, title=title)
    console.print_line(str(output))
    if files.skipped:
        raise typer.Exit(3)
