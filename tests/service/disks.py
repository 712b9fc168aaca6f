"""A disk that is really full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from waferscope.service.parts import Parts, open_parts
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


@contextmanager
def house_on(folder: Path, size: str, settings: Settings, migrated: Path) -> Iterator[Parts]:
    """A house whose records (a copy of ``migrated``) and blobs lie on a small disk: its home."""
    with small_disk(folder, size) as disk:
        shutil.copy(migrated, disk / "records.db")
        records, blobs = f"sqlite:///{disk / 'records.db'}", (disk / "blobs").as_uri()
        there = {"home": disk, "records_url": records, "blobs_url": blobs}
        house = open_parts(settings.model_copy(update=there))
        try:
            yield house
        finally:
            house.records.close()


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """Leave so many bytes of the disk, as long as this lasts."""
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - left)))
    try:
        yield
    finally:
        filler.unlink()
