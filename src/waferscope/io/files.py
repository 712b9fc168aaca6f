"""Files that appear whole or not at all, and names that are safe to give them."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath
from typing import Final

from waferscope.errors import FormatError
from waferscope.io.archive import NAMELESS

LONGEST_NAME: Final = 80
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its name and move it there; raise FormatError when that fails."""
    if not path.name:
        raise FormatError(f"Expected a file to write, got {str(path)!r}. Give it a name.")
    draft = path.with_name(f".{os.getpid()}.{path.name[-200:]}")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(
            f"Expected a place that can be written, got {str(path)!r} ({reason}). "
            "Check the folder, its rights and the space left."
        ) from error
    finally:
        if "\0" not in str(draft):
            draft.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder unless it is there; raise FormatError when that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(
            f"Expected a folder at {str(path)!r}, got none ({reason}). Give a path that is free."
        ) from error


def safe_name(text: str) -> str:
    """Return a file name made of a wafer's name: no folders, no oddities, not too long.

    >>> safe_name("../../etc/passwd"), safe_name("LOT 7/W01"), safe_name("")
    ('etc_passwd', 'LOT_7_W01', 'wafer')
    """
    return _name_of(re.sub(r"[^A-Za-z0-9._-]+", "_", text))


def kept_name(text: str) -> str:
    """Return a file name that a user gave, with no folders and no oddities; letters stay.

    >>> kept_name("晶圆 1.csv"), kept_name("../ä.csv"), kept_name("")
    ('晶圆_1.csv', 'ä.csv', 'wafer')
    """
    return _name_of(re.sub(r"[^\w.-]+", "_", text))


def _name_of(text: str) -> str:
    """Return a text cut to `LONGEST_NAME` bytes that is no hidden file, no device and not empty."""
    name = text.encode()[:LONGEST_NAME].decode(errors="ignore").strip("._-")
    return f"_{name}" if _DEVICES.fullmatch(name) else name or "wafer"


def file_stem(name: str) -> str:
    """Return a wafer's name from that of its blob: no archive, no suffix; "" for bytes.

    >>> file_stem("lot.zip:W01.xml"), file_stem("<bytes>")
    ('W01', '')
    """
    return "" if name == NAMELESS else PurePath(name.rpartition(":")[2]).stem
