"""``waferscope train``, ``evaluate`` and ``export``: what needs the ``train`` extra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waferscope.cli import console

app = typer.Typer()


def require_training() -> None:
    """Raise MissingExtraError, with the cure, when torch is not installed."""
    from importlib.util import find_spec

    from waferscope.errors import MissingExtraError

    missing = [name for name in ("torch", "lightning") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"Expected the training packages, got an installation without {', '.join(missing)}. "
            "Run pip install 'waferscope[train]'."
        )


@app.command("train")
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a training recipe.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; runs/RECIPE if left out."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of real wafers to train on besides synthetic ones.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Checkpoint or model file whose weights the run begins with."),
    ] = None,
) -> None:
    """Train a model after a recipe; a run that was stopped goes on where it was.

    The last line printed is the path of the checkpoint.

    Example: waferscope train quick --output runs/quick
    """
    require_training()
    from dataclasses import replace

    from waferscope.ml.recipes import build_recipe
    from waferscope.ml.train import train as run_training

    config = build_recipe(recipe, data)
    if start is not None:
        config = replace(config, start_from=start)
    folder = output if output is not None else Path("runs") / recipe
    console.print_line(str(run_training(config, folder)))


@app.command("evaluate")
def evaluate(
    model: Annotated[
        Path | None, typer.Argument(help="Model file; the released one if left out.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of real wafers; without it only synthetic ones are used."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure a model: die IoU per class, label scores, calibration, false alarms.

    Example: waferscope evaluate waferscope.onnx --data data --json
    """
    require_training()
    import json

    from waferscope.ml.evaluate import evaluate as measure

    figures = measure(model, data)
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    from waferscope.cli.model import flat_figures

    console.print_table([("figure", "left"), ("value", "right")], flat_figures(figures))


@app.command("export")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a training run.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the model files and the card.")
    ] = Path("model"),
    version: Annotated[str, typer.Option(help="Version the model file carries.")] = "dev",
    data: Annotated[
        Path | None, typer.Option(help="Folder of real wafers to calibrate and measure on.")
    ] = None,
) -> None:
    """Write a trained checkpoint as fp32 and int8 ONNX files, calibrated, measured, with a card.

    The last line printed is the path of the int8 file.

    Example: waferscope export runs/quick/last.ckpt --output model --version 0.1
    """
    require_training()
    from waferscope.ml.release import release

    console.print_line(str(release(checkpoint, output, version, data).model))
