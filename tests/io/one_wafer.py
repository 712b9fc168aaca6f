"""What many tests of readers do: read one wafer, and look into its notes."""

from __future__ import annotations

from waferscope.domain.wafermap import WaferMap
from waferscope.io import read


def one(data: str | bytes, **options: object) -> WaferMap:
    """Read a file, given as bytes or text, that holds one wafer."""
    (wafer,) = read(data if isinstance(data, bytes) else data.encode(), **options)  # type: ignore[arg-type]
    return wafer


def said(wafer: WaferMap, words: str) -> bool:
    """Whether some note of the wafer holds these words."""
    return any(words in note for note in wafer.notes)
