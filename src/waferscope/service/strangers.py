"""Files of strangers: read within limits, part by part, and never as a pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError, SizeError
from waferscope.io import READERS, read_parts
from waferscope.io.archive import Limits
from waferscope.io.formats import ReadOptions

REFUSED: Final = frozenset({"lswmd"})
"""LSWMD.pkl is gigabytes of pickle, held whole: it is converted at the command line first."""
WELCOME: Final = tuple(name for name in READERS if name not in REFUSED)
TOTAL_BYTES: Final = 1 << 30
"""What an archive may unpack to."""


@dataclass(frozen=True)
class Failure:
    """A file in an archive that could not be read, and why."""

    name: str
    detail: str


@dataclass(frozen=True)
class Found:
    """The wafers of a file, in its order; the formats in it; what of it could not be read."""

    wafers: Sequence[WaferMap]
    formats: tuple[str, ...]
    failures: tuple[Failure, ...]


def read_stranger(
    path: Path, most: int, format: str | None = None, options: ReadOptions | None = None
) -> Found:
    """Return what a file holds, at most ``most`` wafers.

    Raises FormatError when nothing in it can be read, or anything cannot and the options are
    strict; SizeError for more wafers.
    """
    options = options or ReadOptions()
    limits = Limits(total_bytes=TOTAL_BYTES, wafers=most)
    wafers: list[WaferMap] = []
    formats: list[str] = []
    errors: list[tuple[str, FormatError]] = []
    for part in read_parts(path, format, options, limits, REFUSED):
        if part.error is not None:
            if options.strict:
                raise part.error
            errors.append((part.name, part.error))
            continue
        wafers += part.wafers
        formats.append(part.format)
        if len(wafers) > most:
            raise SizeError(
                f"Expected at most {most:,} wafers in a file, got more. Split it into several."
            )
    if not wafers:
        raise (
            errors[0][1]
            if errors
            else FormatError(
                f"Expected at least one wafer in {path.name}, got none. Check what wrote it."
            )
        )
    failures = tuple(Failure(name, str(error)) for name, error in errors)
    return Found(wafers, tuple(dict.fromkeys(formats)), failures)
