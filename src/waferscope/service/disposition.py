"""Files as answers: sent in parts, saved under their names and never shown by a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from waferscope.io.files import safe_name

MEDIA: Final = "application/octet-stream"


def attachment(
    parts: Iterator[bytes], name: str, size: int | None = None, media: str = MEDIA
) -> StreamingResponse:
    """Return a file of any name as an answer to be saved (RFC 6266)."""
    headers = {
        "Content-Disposition": f'attachment; filename="{safe_name(name)}"; '
        f"filename*=UTF-8''{quote(name, safe='')}"
    }
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(parts, headers=headers, media_type=media)
