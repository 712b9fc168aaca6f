"""``waferscope model``: what a model file says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from waferscope.cli import console

app = typer.Typer(
    help="Look at model files.\n\nExample: waferscope model info", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Look at model files.

    Example: waferscope model info
    """


@app.command("info")
def info(
    model: Annotated[
        Path | None, typer.Argument(help="Model file; the released model if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a model's version, classes, thresholds, training data, figures and notices.

    Example: waferscope model info waferscope.onnx --json
    """
    import json

    from waferscope.infer import load_predictor

    found = load_predictor(model, threads=1).model
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
        return
    facts: list[tuple[str, object]] = [
        ("file", found.path),
        ("size", f"{found.size_bytes / 1e6:.1f} MB"),
        ("version", found.version),
        ("architecture", found.architecture),
        ("quantisation", found.quantisation),
        ("inputs", ", ".join(found.inputs)),
        ("taxonomy", found.taxonomy.version),
        ("embedding", f"{found.embedding_dim} figures"),
        ("evidence", f"one cell per {found.stride}x{found.stride} dies"),
        ("commit", found.commit),
        ("data fingerprint", found.data_fingerprint),
    ]
    console.print_table([("", "left"), ("", "left")], facts)
    classes = zip(found.taxonomy.classes, found.mask_thresholds, strict=True)
    console.print_table(
        [("id", "right"), ("class", "left"), ("mask threshold", "right")],
        [(c.id, c.name, f"{t:.3f}") for c, t in classes],
    )
    patterns = zip(found.taxonomy.patterns, found.pattern_thresholds, strict=True)
    console.print_table(
        [("pattern", "left"), ("class", "left"), ("threshold", "right")],
        [(p, found.taxonomy.pattern_class.get(p, "–"), f"{t:.3f}") for p, t in patterns],
    )
    for title, values in (("figure", found.metrics), ("training data", found.training_data)):
        if values:
            console.print_table([(title, "left"), ("value", "left")], flat_figures(values))
    for notice in found.notices:
        console.print_line(f"notice: {notice}")


def flat_figures(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested figures as rows of a dotted name and its printed value.

    >>> flat_figures({"iou": {"edge": 0.91, "wafers": 3}})
    [('iou.edge', '0.9100'), ('iou.wafers', '3')]
    """
    if not isinstance(values, Mapping):
        return [(prefix, f"{values:.4f}" if isinstance(values, float) else str(values))]
    rows = []
    for name, value in values.items():
        rows += flat_figures(value, f"{prefix}.{name}" if prefix else str(name))
    return rows
