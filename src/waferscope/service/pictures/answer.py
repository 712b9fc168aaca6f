"""Answers that are drawn: known to the client, out of the cache, or made now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

import waferscope
from waferscope.service.etag import KEPT, is_known, tag_of, unchanged
from waferscope.service.parts import Parts

CACHED_S: Final = 24 * 3600
MOST_CACHED: Final = 1_000_000
"""Bytes of what is worth caching: pages of 300 x 300 wafers have 80,000 to 170,000."""
PNG: Final = "image/png"


@dataclass(frozen=True)
class Drawing:
    """What is drawn: of which kind, of what exactly, and how, in a thread of its own."""

    kind: str
    subject: Sequence[str]
    draw: Callable[[], bytes]
    media: str = PNG
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The tag of the drawing; another version of the program may draw in another way."""
        return tag_of(waferscope.__version__, self.kind, *self.subject)


async def answer_drawing(house: Parts, request: Request, drawing: Drawing) -> Response:
    """Return a drawing as an answer."""
    if is_known(request, drawing.tag):
        return unchanged(drawing.tag, drawing.headers)
    key = f"{drawing.kind}:{drawing.tag}"
    found = await house.cache.get(key)
    house.figures.cache_reads.labels(drawing.kind, "yes" if found else "no").inc()
    if found is None:
        found = await run_in_threadpool(drawing.draw)
        if len(found) <= MOST_CACHED:
            await house.cache.set(key, found, CACHED_S)
    headers = {"ETag": drawing.tag, "Cache-Control": KEPT, **drawing.headers}
    return Response(found, media_type=drawing.media, headers=headers)
