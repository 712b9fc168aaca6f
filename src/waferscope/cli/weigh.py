"""``waferscope weigh``: how far the labels of real wafers are to be believed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waferscope.cli import console
from waferscope.cli.learn import require_training

app = typer.Typer()


@app.command("weigh")
def weigh(
    data: Annotated[Path, typer.Argument(help="Folder of real wafers, with wm811k/train.parquet.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Parquet file for the weights.")
    ] = Path("runs/weights.parquet"),
    *,
    runs: Annotated[Path, typer.Option(help="Folder of the classifiers, one run per fold.")] = Path(
        "runs/weigh"
    ),
    folds: Annotated[int, typer.Option(help="Parts that the lots are split into.", min=2)] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the wafers per fold.", min=1)] = 10,
) -> None:
    """Weigh the labels of WM-811K: one that classifiers of other lots deny weighs less.

    One plain classifier is trained per fold; what was stopped goes on where it was. A table says
    how many labels are doubted; the last line printed is the path of the weights, which
    `waferscope train --weights` takes.

    Example: waferscope weigh data --output runs/weights.parquet
    """
    require_training()
    from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
    from waferscope.ml.confident import NONE, write_weights
    from waferscope.ml.corpus import REAL_FILE
    from waferscope.ml.peer import PeerConfig
    from waferscope.ml.truth import labelled

    wafers = labelled(data / REAL_FILE.format(split="train"))
    doubt = write_weights(wafers, runs, output, folds, PeerConfig(epochs=epochs))
    rows = []
    for index, name in enumerate([*DEFAULT_TAXONOMY.patterns, NONE]):
        own = doubt.given == index
        rows.append((name, int(own.sum()), int((doubt.doubted & own).sum())))
    console.print_table([("label", "left"), ("wafers", "right"), ("doubted", "right")], rows)
    console.print_line(str(output))
