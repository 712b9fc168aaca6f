"""What a request to predict carries: ids of stored wafers, wafers inline, or a file of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import SizeError
from waferscope.io import read
from waferscope.service.predictions.inline import build_wafer
from waferscope.service.predictions.schemas import MOST_WAFERS, Asked


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

    Raises FormatError, and SizeError for more wafers than a request may have.
    """
    wafers = read(path)
    if len(wafers) > MOST_WAFERS:
        raise SizeError(
            f"Expected at most {MOST_WAFERS} wafers in a file to predict, got {len(wafers):,}. "
            "Upload it and ask for a batch."
        )
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return Given(wafers, hashlib.sha256(f"{content} {path.name}".encode()).hexdigest())
