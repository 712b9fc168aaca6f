"""``waferscope train``, ``evaluate`` and ``export``: what needs the ``train`` extra."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from waferscope.cli import console

app = typer.Typer()
DATA_VARIABLE: Final = "WAFERSCOPE_DATA"
"""Environment variable that names the folder of real wafers."""
REPORT_COLUMNS: Final[list[tuple[str, console.Side]]] = [
    (title, "left") for title in ("figure", "asked", "measured (95 % interval)", "")
]


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
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; runs/RECIPE if left out."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of real wafers to train on besides synthetic ones; for adapt, of "
            "annotated wafers."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Checkpoint or model file whose weights the run begins with."),
    ] = None,
    fraction: Annotated[
        float | None, typer.Option(help="Share of the labels to use, 0 to 1, of each at least 3.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the run; the recipe's if left out.", min=0)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps of the run; the recipe's if left out.", min=1)
    ] = None,
    leave_label: Annotated[
        list[str] | None, typer.Option(help="Pattern that no wafer may show; may be repeated.")
    ] = None,
    leave_combination: Annotated[
        list[str] | None,
        typer.Option(help="Labels of mixtures not to use, as Center+Scratch; may be repeated."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="How far each label is believed, from waferscope weigh.")
    ] = None,
) -> None:
    """Train a model after a recipe; a run that was stopped goes on where it was.

    docs/training.md says what the recipes do. The last line printed is the path of the checkpoint.

    Example: waferscope train fixmatch --data data --fraction 0.05 --output runs/fixmatch
    """
    require_training()
    from waferscope.ml.changes import Changes, change
    from waferscope.ml.recipes import build_recipe
    from waferscope.ml.train import train as run_training

    changes = Changes(
        fraction=fraction,
        seed=seed,
        steps=steps,
        leave_labels=tuple(leave_label or ()),
        leave_combinations=tuple(leave_combination or ()),
        weights=weights,
        start_from=start,
    )
    config = change(build_recipe(recipe, data), changes)
    folder = output if output is not None else Path("runs") / recipe
    console.print_line(str(run_training(config, folder)))


@app.command("evaluate")
def evaluate(
    model: Annotated[
        Path | None,
        typer.Option("--model", help="ONNX file or checkpoint; the released model if left out."),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of real wafers; without it only synthetic ones are used."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every wafer, and canvases too: minutes. Otherwise a fifth of them. Looks for the "
            "real wafers in WAFERSCOPE_DATA, then in ../shared/data.",
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the report and its figures.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another model, compared on the same wafers.")
    ] = None,
    peer: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a plain classifier to be ahead of; trained there first, in an hour or "
            "more of one core, unless it has been."
        ),
    ] = None,
    transfer: Annotated[
        Path | None,
        typer.Option(help="A run of the recipe transfer, measured on MixedWM38 too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Measure a model: masks, labels, calibration, false alarms, symmetry, with intervals.

    With --output, report.json, report.md and figures are written; the last line printed is the
    path of report.md.

    Example: waferscope evaluate --model waferscope.onnx --data data --all --output report
    """
    require_training()
    from waferscope.ml.evaluate import Beside
    from waferscope.ml.evaluate import evaluate as measure
    from waferscope.ml.evaluation.exam import FULL, QUICK
    from waferscope.ml.evaluation.headline import headline_rows
    from waferscope.ml.evaluation.report_files import write_report

    folder = find_data() if everything and data is None else data
    exam = FULL if everything else QUICK
    beside = Beside(against=against, peer=peer, transfer=transfer)
    report = measure(model, folder, exam=exam, beside=beside, say=console.say_progress)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    console.print_table(REPORT_COLUMNS, headline_rows(report))
    if output is not None:
        console.print_line(str(write_report(report, output)))


@app.command("worst")
def worst(
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG to draw them in.")] = Path(
        "worst.png"
    ),
    model: Annotated[
        Path | None, typer.Option("--model", help="ONNX file; the released model if left out.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of real wafers; WAFERSCOPE_DATA, then ../shared/data if left out."
        ),
    ] = None,
) -> None:
    """Draw the 24 validation wafers that a model gets most wrong, the truth above its masks.

    Eight each by hand-checked masks, WM-811K labels and MixedWM38 labels. The last line printed
    is the path of the PNG.

    Example: waferscope worst --data data --output worst.png
    """
    require_training()
    from waferscope.infer import load_predictor
    from waferscope.ml.evaluation.exam import open_real
    from waferscope.ml.evaluation.worst import worst_panels
    from waferscope.report.sheet import write_panels

    predictor = load_predictor(model)
    real = open_real(find_data() if data is None else data)
    panels = worst_panels(predictor, real)
    write_panels(panels, output, taxonomy=predictor.model.taxonomy)
    console.print_line(str(output))


def find_data() -> Path:
    """Return the folder of real wafers: WAFERSCOPE_DATA, else ``../shared/data``.

    Raises ConfigError, with the cure, when neither is there.
    """
    from waferscope.errors import ConfigError

    named = os.environ.get(DATA_VARIABLE)
    for place in (named, "../shared/data"):
        if place and Path(place).is_dir():
            return Path(place)
    raise ConfigError(
        f"Expected the folder of real wafers in {DATA_VARIABLE} or at ../shared/data, got none. "
        "Name it with --data; evaluate without --all needs none."
    )


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

    done = release(checkpoint, output, version, data, say=console.say_progress)
    console.print_line(str(done.model))
