"""``waferscope average``: one model out of several that began with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waferscope.cli import console
from waferscope.cli.learn import require_training

app = typer.Typer()


@app.command("average")
def average(
    models: Annotated[
        list[Path], typer.Argument(help="Checkpoints or model files, at least two of one descent.")
    ],
    *,
    recipe: Annotated[
        str, typer.Option(help="Recipe whose wafers the batch norms are taken on.")
    ] = "blended",
    data: Annotated[Path | None, typer.Option(help="Folder of real wafers, as for train.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the checkpoint.")
    ] = Path("runs/average"),
) -> None:
    """Average the weights of models that began with the same ones: often better than each.

    The last line printed is the path of the checkpoint, which export, evaluate and train take.

    Example: waferscope average runs/blended/last.ckpt old.onnx --data data --output runs/average
    """
    require_training()
    from waferscope.ml.average import average as run_average
    from waferscope.ml.recipes import build_recipe

    console.print_line(str(run_average(build_recipe(recipe, data), models, output)))
