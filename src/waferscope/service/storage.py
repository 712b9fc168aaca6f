"""The blobs: files of bytes under names, in a local folder or an S3 store.

Names are made here and by nobody else: ``wafers/ab/abcd...``. A name that a user gave never
becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

if TYPE_CHECKING:
    from obstore.store import RetryConfig


from waferscope.errors import ConfigError, FullError, UnavailableError
from waferscope.errors import NotFoundError as BlobMissingError

RETRIES: Final[RetryConfig] = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
PART_BYTES: Final = 8 << 20
FAILURES: Final = "failures"
"""The file of a batch that lists what failed, whether it was asked for or not."""
_NAME: Final = re.compile(r"[a-z0-9_]+(/[A-Za-z0-9_.-]*[A-Za-z0-9_-])+")


class Blobs:
    """Where blobs are kept. Each call is one blocking round trip; run it off the event loop."""

    def __init__(self, url: str) -> None:
        self._store: Final = _open_store(url)

    def put(self, name: str, content: bytes) -> None:
        """Keep the bytes under the name; what was there is replaced, wholly or not at all."""
        with _translated(name):
            obstore.put(self._store, _sound(name), content)

    def get(self, name: str) -> bytes:
        """Return the bytes. Raises NotFoundError when there are none under that name."""
        with _translated(name):
            return bytes(obstore.get(self._store, _sound(name)).bytes())

    def put_file(self, name: str, path: Path) -> None:
        """Keep a file under the name, without holding it in memory."""
        with _translated(name):
            obstore.put(self._store, _sound(name), path)

    def stream(self, name: str) -> Iterator[bytes]:
        """Return the bytes in parts of 8 MB; raise NotFoundError, at once, for none.

        Each part is a request of its own: one long one would end when the client is slow.
        """
        with _translated(name):
            size = obstore.head(self._store, _sound(name))["size"]
        return self._parts(name, size)

    def _parts(self, name: str, size: int) -> Iterator[bytes]:
        for start in range(0, size, PART_BYTES):
            with _translated(name):
                length = min(PART_BYTES, size - start)
                part = obstore.get_range(self._store, name, start=start, length=length)
            yield bytes(part)

    def has(self, name: str) -> bool:
        """Return whether there is something under the name."""
        try:
            with _translated(name):
                obstore.head(self._store, _sound(name))
        except BlobMissingError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Remove what is under the name, if anything."""
        try:
            with _translated(name):
                obstore.delete(self._store, _sound(name))
        except BlobMissingError:
            return

    def names(self, folder: str = "") -> Iterator[str]:
        """Yield every name in a folder and below it."""
        yield from (name for name, _ in self.ages(folder))

    def ages(self, folder: str = "") -> Iterator[tuple[str, datetime]]:
        """Yield every name in a folder and below it, and when it was written."""
        with _translated(folder):
            for page in obstore.list(self._store, prefix=folder or None):
                yield from ((str(one["path"]), one["last_modified"]) for one in page)

    def ping(self) -> None:
        """Ask the store for an answer. Raises UnavailableError when there is none."""
        self.has("ping/nothing")


def blob_name(
    kind: Literal["wafers", "uploads", "predictions", "exports", "models"], key: str
) -> str:
    """Return the name of a blob: its kind, two letters that spread folders, its key.

    >>> blob_name("wafers", "d2a84f4b8b650937")
    'wafers/d2/d2a84f4b8b650937'
    """
    stem = key.split(".", 1)[0]
    return f"{kind}/{stem[-2:] if '_' in stem else stem[:2]}/{key}"


def export_name(batch_id: str, file: str) -> str:
    """Return the name of the blob of a batch's file of results: a format, or FAILURES.

    >>> export_name("bat_0c1d", "csv")
    'exports/1d/bat_0c1d/csv'
    """
    return f"{blob_name('exports', batch_id)}/{file}"


def _sound(name: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigError(
            f"Expected a blob name made by blob_name, got {name!r}. Do not name blobs after files."
        )
    return name


def _open_store(url: str) -> LocalStore | S3Store:
    scheme = urlsplit(url).scheme
    if scheme == "file":
        from urllib.request import url2pathname

        return LocalStore(url2pathname(urlsplit(url).path), mkdir=True)
    if scheme == "s3":
        # A store on the same machine may speak http.
        return S3Store.from_url(url, client_options={"allow_http": True}, retry_config=RETRIES)
    raise ConfigError(
        f"Expected a URL of a folder or of S3 for the blobs, got {url!r}. "
        "Correct WAFERSCOPE_BLOBS_URL."
    )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise BlobMissingError(f"Expected a blob {name!r}, got none. It may be deleted.") from error
    except (BaseError, OSError) as error:
        if "No space left" in str(error) or "os error 28" in str(error):
            raise FullError(
                "The blob store has no room left. Free some, then try again."
            ) from error
        raise UnavailableError("The blob store cannot be reached. Try again.") from error
