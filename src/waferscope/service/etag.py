"""Entity tags: a client that has the newest version is told so instead of given it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from fastapi import Request, Response

KEPT: Final = "private, no-cache"
"""A browser may keep the answer, and asks each time whether it is still right."""


def tag_of(*parts: str) -> str:
    """Return the tag of what is made of these parts, quoted as the header wants it.

    >>> tag_of("waf_1", "png") == tag_of("waf_1png")
    False
    """
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Return whether the client has what the tag stands for."""
    given = request.headers.get("If-None-Match", "")
    known = {one.strip().removeprefix("W/") for one in given.split(",")}
    return tag in known or "*" in known


def unchanged(tag: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer to a client that has it already.

    ``headers`` are those of the whole answer: a browser puts them in place of those it kept.
    """
    given = {"ETag": tag, "Cache-Control": KEPT, **(headers or {})}
    return Response(status_code=304, headers=given)
