"""Files that are whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes that name when the block ends well.

    The suffix is kept, for writers that go by it. On any failure the temporary file is removed
    and what stood at ``path`` stays as it was.
    """
    target = Path(path)
    draft = target.with_name(f".{os.getpid()}.{target.name[-200:]}")
    try:
        yield draft
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
