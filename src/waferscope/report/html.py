"""The lot report: one HTML file that needs nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from waferscope import __version__
from waferscope.domain.prediction import Prediction
from waferscope.io.files import write_whole
from waferscope.report.charts import percent, rate, whole
from waferscope.report.summary import LotSummary, summarise
from waferscope.report.view import build_view


def write_html(
    predictions: Iterable[Prediction], path: str | Path, *, title: str | None = None
) -> None:
    """Write the lot report of ``predictions`` (any iterable, read once) to ``path``.

    The gallery shows the 60 most severe wafers and the table the 500 most severe; every total is
    over all of them. Raises InputError when there is no prediction, or when they come from models
    with different classes.
    """
    write_summary(summarise(predictions), path, title=title)


def write_summary(summary: LotSummary, path: str | Path, *, title: str | None = None) -> None:
    """Write the report of a summary gathered before; see `write_html`."""
    text = render(summary, title=title, now=datetime.now(UTC))
    write_whole(Path(path), text.encode("utf-8", errors="replace"))


def render(summary: LotSummary, *, title: str | None, now: datetime) -> str:
    """Return the report as text; ``now`` is printed as the time it was made."""
    script = _asset("lot.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return _template().render(
        view=build_view(summary, title=title),
        style=_asset("lot.css"),
        script=script,
        script_hash=f"sha256-{digest}",
        made=now.strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("waferscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, rate=rate, whole=whole)
    return environment.get_template("lot.html")


def _asset(name: str) -> str:
    folder = resources.files("waferscope.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")
