"""A disk that is really full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from waferscope.service.settings import Settings


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of that size, mounted where the folder is."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("Only root may mount a small disk, and only where it may mount at all.")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def moved_to(disk: Path, settings: Settings, migrated: Path) -> Settings:
    """The settings of a house whose records and blobs lie there; ``migrated`` is copied."""
    shutil.copy(migrated, disk / "records.db")
    records, blobs = f"sqlite:///{disk / 'records.db'}", (disk / "blobs").as_uri()
    return settings.model_copy(update={"home": disk, "records_url": records, "blobs_url": blobs})


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """Leave so many bytes of the disk, as long as this lasts."""
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - left)))
    try:
        yield
    finally:
        filler.unlink()
