"""``waferscope report``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, WriteNpz

pytestmark = pytest.mark.usefixtures("use_tiny_model")


def test_the_report_is_written_and_named_last(run: Run, lot_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "lot.html"
    done = run("report", lot_file, "--output", output, "--title", "Night shift")
    assert done.code == 0
    assert done.last_line == str(output)
    text = output.read_text(encoding="utf-8")
    assert "Night shift" in text
    assert "tiny-1" in text
    assert text.count('class="wafer"') == 3


def test_gallery_and_table_take_limits(run: Run, lot_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "lot.html"
    run("report", lot_file, "-o", output, "--wafers", 1, "--rows", 2)
    text = output.read_text(encoding="utf-8")
    assert "Showing 1 of 3" in text
    assert "Showing 2 of 3" in text


def test_bad_files_are_skipped(
    run: Run, lot_file: Path, tmp_path: Path, write_npz: WriteNpz
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\x00\x01")
    output = tmp_path / "lot.html"
    assert run("report", bad, lot_file, "-o", output).code == 3
    assert output.exists()
    output.unlink()
    assert run("report", bad, lot_file, "-o", output, "--strict").code == 1
    assert run("report", bad, "-o", output).code == 1
    assert not output.exists()
