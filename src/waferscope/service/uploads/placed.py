"""Blobs that are put before their rows, and taken away again if the rows do not come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from waferscope.errors import FullError, UnavailableError, WaferScopeError
from waferscope.service.idempotency import AnsweredBefore
from waferscope.service.storage import Blobs

AT_ONCE: Final = 8
_log = structlog.get_logger()


class Placed:
    """The blobs of one upload: those that are not kept by the end are deleted.

    Where it is not sure that the rows were not added (the database broke off) all of them stay:
    a blob that nobody names is found by `waferscope admin check`, a lost one is lost. A full disk
    is sure: what could not be written was not added.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs: Final = blobs
        self._names: Final[set[str]] = set()

    def put_file(self, name: str, path: Path) -> None:
        """Put a file."""
        self._names.add(name)
        self._blobs.put_file(name, path)

    def put_all(self, contents: Mapping[str, Callable[[], bytes]]) -> None:
        """Put many blobs, some at a time; each is made when its turn comes."""
        self._names.update(contents)

        def put(name: str) -> None:
            self._blobs.put(name, contents[name]())

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="waferscope-put") as pool:
            list(pool.map(put, contents))

    def keep(self, names: Collection[str]) -> None:
        """Say that rows name these blobs now."""
        self._names.difference_update(names)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Delete what is not kept, if that is sure."""
        if error is not None and not _undid(error):
            return
        try:
            for name in sorted(self._names):
                self._blobs.delete(name)
        except UnavailableError as trouble:
            _log.warning("blobs left over", count=len(self._names), cause=str(trouble))


def _undid(error: BaseException) -> bool:
    """Return whether no row can have been added where this was raised."""
    if isinstance(error, UnavailableError):
        return isinstance(error, FullError)
    return isinstance(error, WaferScopeError | AnsweredBefore)
