"""``waferscope convert``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from waferscope.domain.wafermap import Bins, Frame, WaferMap
from waferscope.io import WRITERS, read, write


@pytest.fixture
def lot(tmp_path: Path) -> Path:
    """Two wafers with coordinates, bins, and labels on one."""
    dies = np.array([[1, 2, 1], [2, 1, 1]], dtype=np.uint8)
    bins = Bins(hard=dies.astype(np.uint16), hard_names={2: "leak"})
    wafers = [
        WaferMap(dies, wafer_id="W1", lot_id="A1", frame=Frame(5, 7), bins=bins, patterns=("Loc",)),
        WaferMap(dies[::-1], wafer_id="W2", lot_id="A1", frame=Frame(5, 7), bins=bins),
    ]
    write(wafers, tmp_path / "lot.parquet")
    return tmp_path / "lot.parquet"


def test_losses_notes_and_the_file_are_named(run: Run, lot: Path, tmp_path: Path) -> None:
    target = tmp_path / "lot.npz"
    done = run("convert", lot, target)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert "lost: tester's coordinates (2 of 2 wafers)" in lines
    assert "lost: hard bins (2 of 2 wafers)" in lines
    assert not any("labels" in line for line in lines)
    assert done.last_line == str(target)
    for one, back in zip(read(lot), read(target), strict=True):
        assert np.array_equal(one.dies, back.dies)


def test_nothing_is_said_where_nothing_is_lost(run: Run, lot: Path, tmp_path: Path) -> None:
    done = run("convert", lot, tmp_path / "again.parquet.gz")
    assert "lost" not in done.out
    assert [w.wafer_id for w in read(tmp_path / "again.parquet.gz")] == ["W1", "W2"]


@pytest.mark.parametrize("name", [name for name, takes in WRITERS if takes == "wafers"])
def test_every_format_is_a_target(run: Run, tmp_path: Path, name: str) -> None:
    source = tmp_path / "one.npz"
    write(WaferMap(np.array([[1, 2], [1, 1]], np.uint8), wafer_id="W1", lot_id="A1"), source)
    target = tmp_path / f"out{WRITERS[name, 'wafers'].extensions[0]}"
    done = run("convert", source, target, "--format", name)
    assert done.code == 0, done.err
    assert target.is_file()


def test_columns_bins_and_retests_are_passed_on(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "dies.csv"
    table.write_text("A,B,HB\n1,1,7\n2,1,9\n2,1,7\n")
    words = ("--map", "x=A", "--map", "y=B", "--map", "bin=HB", "--pass-bins", "7")
    for retests, fails in (("last", 0), ("first", 1)):
        target = tmp_path / f"{retests}.npz"
        done = run("convert", table, target, *words, "--retests", retests, "--from", "csv")
        assert done.code == 0, done.err
        assert read(target)[0].fail_count == fails


def test_pictures_go_into_a_folder(run: Run, lot: Path, tmp_path: Path) -> None:
    done = run("convert", lot, tmp_path / "maps", "--format", "png")
    assert done.code == 0, done.err
    assert done.last_line == str(tmp_path / "maps")
    assert len(list((tmp_path / "maps").iterdir())) == 2


@pytest.mark.parametrize("twin", [True, False], ids=["two of one name", "one without dies"])
def test_no_wafer_vanishes_in_a_die_list(run: Run, tmp_path: Path, twin: bool) -> None:
    dies = np.array([[1, 2, 1], [2, 1, 1]], dtype=np.uint8)
    other = WaferMap(3 - dies, wafer_id="W1", lot_id="L")
    bare = WaferMap(0 * dies, wafer_id="W2", lot_id="L")
    source, target = tmp_path / "two.json", tmp_path / "two.csv"
    write([WaferMap(dies, wafer_id="W1", lot_id="L"), other if twin else bare], source)
    done = run("convert", source, target)
    assert done.code == 1
    assert "lost:" not in done.out
    assert "write Parquet, npz or JSON" in done.err
    assert not target.exists()
    for kept in ("two.parquet", "two.npz", "again.json"):
        assert run("convert", source, tmp_path / kept).code == 0
        assert len(read(tmp_path / kept)) == 2


def test_what_cannot_be_is_refused(run: Run, lot: Path, tmp_path: Path) -> None:
    assert "twice" in run("convert", lot, lot).err
    assert run("convert", lot, tmp_path / "a.doc").code == 1
    assert run("convert", lot, tmp_path / "a.npz", "--from", "doc").code == 2
    assert run("convert", lot, tmp_path / "a.npz", "--map", "nothing").code == 1
    bad = tmp_path / "bad.stdf"
    bad.write_bytes(b"nonsense")
    assert run("convert", bad, tmp_path / "a.npz").code == 1
    assert not (tmp_path / "a.npz").exists()


def test_a_bad_file_among_good_ones_is_code_3(run: Run, lot: Path, tmp_path: Path) -> None:
    (lot.parent / "bad.stdf").write_bytes(b"nonsense")
    folder = tmp_path.parent / f"{tmp_path.name}-out"
    folder.mkdir()
    assert run("convert", lot.parent, folder / "a.npz").code == 3
    assert run("convert", lot.parent, folder / "b.npz", "--strict").code == 1
