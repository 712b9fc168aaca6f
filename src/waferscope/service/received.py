"""A file that a request carries, raw or in a form: on disk while it is read, never in memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from waferscope.errors import InputError
from waferscope.io.files import kept_name

FORM: Final = "multipart/form-data"
FIELD: Final = "file"
CHUNK_BYTES: Final = 1 << 20


@asynccontextmanager
async def received(request: Request, name: str = "") -> AsyncIterator[Path]:
    """Give the path of the file in a request; it is gone afterwards.

    A form has one file, in its field ``file``; any other body is the file, called ``name``.
    """
    with tempfile.TemporaryDirectory(prefix="waferscope-") as folder:
        if request.headers.get("Content-Type", "").startswith(FORM):
            async with request.form(max_files=1, max_fields=0) as form:
                sent = form.get(FIELD)
                if not isinstance(sent, UploadFile):
                    raise InputError(
                        f"Expected a form with a file in the field {FIELD!r}, got none. "
                        f"Send it with curl -F {FIELD}=@NAME."
                    )
                path = Path(folder, kept_name(sent.filename or ""))
                with path.open("wb") as file:
                    while chunk := await sent.read(CHUNK_BYTES):
                        await run_in_threadpool(file.write, chunk)
        else:
            path = Path(folder, kept_name(name))
            with path.open("wb") as file:
                await _write_body(request, file)
        yield path


async def _write_body(request: Request, file: IO[Any]) -> None:
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= CHUNK_BYTES:
            await run_in_threadpool(file.write, bytes(held))
            held.clear()
    file.write(held)
