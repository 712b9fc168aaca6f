"""A folder of files that are named after the wafers in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from waferscope.domain.wafermap import WaferMap
from waferscope.io.files import make_folder, safe_name, write_whole


class FileNames:
    """Names of files in one folder, each given once; of equal ones the later get numbers."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def take(self, name: str, extension: str) -> str:
        """Return a free file name, made safe.

        >>> names = FileNames()
        >>> names.take("A7/W01", ".png"), names.take("A7_W01", ".png")
        ('A7_W01.png', 'A7_W01~2.png')
        """
        stem = safe_name(name)
        key = f"{stem}{extension}".lower()  # a file system may not tell capitals from small letters
        number = self._used[key] = self._used.get(key, 0) + 1
        return f"{stem}{'' if number == 1 else f'~{number}'}{extension}"


class WaferFolder:
    """A folder of one file per wafer or per lot, under `FileNames`.

    The folder is made at once; raises FormatError when that fails.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path)
        self.path = path
        self._names = FileNames()

    def add(self, name: str, extension: str, data: bytes) -> Path:
        """Write a file under a name that is made safe; return where it is."""
        path = self.path / self._names.take(name, extension)
        write_whole(path, data)
        return path


def name_of(item: Any) -> str:
    """Return lot and name of a wafer or of a prediction's wafer, in one word.

    >>> import numpy as np
    >>> name_of(WaferMap(np.ones((2, 2), np.uint8), lot_id="A7", wafer_id="W01"))
    'A7_W01'
    """
    wafer: WaferMap = item if isinstance(item, WaferMap) else item.wafer
    return "_".join(part for part in (wafer.lot_id, wafer.wafer_id) if part)
