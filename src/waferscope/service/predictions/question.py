"""What a request to predict carries: ids of stored wafers, wafers inline, or a file of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError, SizeError
from waferscope.service.predictions.inline import build_wafer
from waferscope.service.predictions.schemas import MOST_WAFERS, Asked
from waferscope.service.strangers import read_stranger

MOST_READ: Final = 10 * MOST_WAFERS
"""Wafers beyond which a file is not even read."""


@dataclass(frozen=True)
class Given:
    """Wafers that are not stored, and the digest of what they were given by."""

    wafers: Sequence[WaferMap]
    digest: str


def parse(body: bytes) -> list[str] | Given:
    """Return the ids or the wafers of a JSON body.

    Raises RequestValidationError, as the framework does, and WaferError for dies that cannot be.
    """
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in found]
        ) from None
    if asked.wafer_map_ids is not None:
        return asked.wafer_map_ids
    wafers = [build_wafer(one) for one in asked.wafers or ()]
    return Given(wafers, hashlib.sha256(body).hexdigest())


def read_file(path: Path) -> Given:
    """Return the wafers of a file; its name is in their records, hence in the digest.

    Raises FormatError for a file of which anything cannot be read, since nobody would be told
    what is missing, and SizeError for more wafers than a request may have.
    """
    found = read_stranger(path, MOST_READ)
    if len(found.wafers) > MOST_WAFERS:
        raise SizeError(
            f"Expected at most {MOST_WAFERS} wafers in a file to predict, "
            f"got {len(found.wafers):,}. Upload it and ask for a batch."
        )
    if found.failures:
        first = found.failures[0]
        raise FormatError(
            f"Expected an archive whose every file can be read, got {first.name}: {first.detail} "
            "Take it out, or upload the archive, which keeps what is good."
        )
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return Given(found.wafers, hashlib.sha256(f"{content} {path.name}".encode()).hexdigest())
