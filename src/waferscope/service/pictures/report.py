"""The report of a lot, from its last predictions; a wafer without one is predicted for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from waferscope.domain.prediction import Prediction
from waferscope.errors import NotFoundError, SizeError
from waferscope.report.html import render
from waferscope.report.summary import summarise
from waferscope.service.parts import Parts
from waferscope.service.pictures.draw import open_prediction, open_wafer
from waferscope.service.pictures.store import Stored

MOST_WAFERS: Final = 1000
"""Wafers of a report that is made while somebody waits."""
CONTENT: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
)
"""The report brings its style and script along; in its sandbox it has no login and no network."""


def check_size(stored: Sequence[Stored]) -> None:
    """Raise NotFoundError for a lot without wafers, SizeError for one that is too large."""
    if not stored:
        raise NotFoundError("Expected a lot with wafers, got one without. Look into the list.")
    if len(stored) > MOST_WAFERS:
        raise SizeError(
            f"Expected a lot of at most {MOST_WAFERS:,} wafers, got a larger one. "
            "Ask for a batch with the format zip: it brings the report."
        )


def write_report(house: Parts, stored: Sequence[Stored], at: datetime) -> bytes:
    """Return the report as HTML."""
    summary = summarise(_predictions(house, stored))
    return render(summary, title=None, now=at).encode("utf-8", errors="replace")


def _predictions(house: Parts, stored: Sequence[Stored]) -> Iterator[Prediction]:
    for one in stored:
        kept = open_prediction(house.blobs, one)
        if kept is not None:
            yield kept
        else:
            yield from house.engine.predict([open_wafer(house.blobs, one)])
