"""``waferscope refit``: name patterns anew with a network that stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waferscope.cli import console
from waferscope.cli.learn import require_training

app = typer.Typer()


@app.command("refit")
def refit(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a training run.")],
    data: Annotated[
        Path, typer.Option(help="Folder of real wafers: wm811k and mixedwm38, train.parquet each.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new checkpoint.")],
    *,
    steps: Annotated[int, typer.Option(help="Steps of fitting.", min=1)] = 4000,
    seed: Annotated[int, typer.Option(help="Seed of the order of wafers.")] = 0,
) -> None:
    """Fit the head that names patterns anew, to real labels alone; the masks stay as they are.

    What the head reads is computed once for every wafer, some ten minutes on two cores. The last
    line printed is the path of the new checkpoint, which `waferscope export` takes.

    Example: waferscope refit runs/dense/last.ckpt --data data --output runs/refit
    """
    require_training()
    from waferscope.ml import refit as module

    config = module.RefitConfig(steps=steps, seed=seed)
    console.print_line(str(module.refit(checkpoint, output, data, config)))
