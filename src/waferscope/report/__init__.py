"""Figures and reports made from predictions: the lot report (HTML) and contact sheets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError
from waferscope.io import write as write_file
from waferscope.report.html import write_html

__all__ = ["write", "write_html"]

_HTML_SUFFIXES = (".html", ".htm")


def write(
    items: Iterable[WaferMap] | Iterable[Prediction] | WaferMap | Prediction,
    path: str | os.PathLike[str],
    format: str | None = None,
) -> list[Path]:
    """Write wafers or predictions to ``path`` and return what was written.

    The suffix decides where ``format`` is None: ``html`` gives the lot report and takes
    predictions only, the other formats are those of `waferscope.io.write`. Raises InputError for
    wafers given to the report and FormatError for a format nobody writes.
    """
    target = Path(path)
    chosen = format or ("html" if target.suffix.lower() in _HTML_SUFFIXES else None)
    if chosen != "html":
        return write_file(items, target, format=format)
    many: Iterable[WaferMap | Prediction]
    many = [items] if isinstance(items, WaferMap | Prediction) else items
    write_html(_predictions(many), target)
    return [target]


def _predictions(items: Iterable[WaferMap | Prediction]) -> Iterable[Prediction]:
    for item in items:
        if not isinstance(item, Prediction):
            raise InputError(
                f"Expected predictions for an HTML report, got a {type(item).__name__}. "
                "Predict first: load_predictor().predict(wafers)."
            )
        yield item
