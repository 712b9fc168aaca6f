"""Finding and reading files."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import WriteNpz
from waferscope.cli.inputs import WaferFiles, find_files
from waferscope.errors import FormatError, InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not a wafer")


def test_files_folders_and_globs_each_file_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "b.csv", "sub/c.csv", "sub/.hidden", ".git/d", "e.txt")
    found = find_files([str(tmp_path / "*.csv"), str(tmp_path), str(tmp_path / "a.csv")])
    assert [p.relative_to(tmp_path).as_posix() for p in found] == [
        "a.csv",
        "b.csv",
        "e.txt",
        "sub/c.csv",
    ]


def test_a_double_star_goes_down(tmp_path: Path) -> None:
    touch(tmp_path, "x/y/a.csv", "x/b.csv")
    assert len(find_files([str(tmp_path / "**" / "*.csv")])) == 2


def test_a_file_named_like_a_glob_is_taken_by_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "lot[1].csv")
    assert find_files([str(tmp_path / "lot[1].csv")]) == [tmp_path / "lot[1].csv"]


def test_hidden_files_can_be_named(tmp_path: Path) -> None:
    touch(tmp_path, ".a.csv")
    assert find_files([str(tmp_path / ".a.csv")]) == [tmp_path / ".a.csv"]


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a folder with files"):
        find_files([str(tmp_path / "empty")])
    with pytest.raises(InputError, match="a file, folder or glob"):
        find_files([str(tmp_path / "*.stdf")])


def test_bad_files_are_counted_and_the_rest_read(tmp_path: Path, write_npz: WriteNpz) -> None:
    touch(tmp_path, "b.bad")
    good = [write_npz(tmp_path / f"{name}.npz", "clean", "edge") for name in "ac"]
    files = WaferFiles([good[0], tmp_path / "b.bad", good[1]])
    assert files.expected is None
    assert [wafer.wafer_id for wafer in files] == ["clean-0", "edge-1"] * 2
    assert files.skipped == [str(tmp_path / "b.bad")]
    assert files.expected == 4


def test_strict_stops_at_the_bad_file(tmp_path: Path) -> None:
    touch(tmp_path, "b.bad")
    with pytest.raises(FormatError):
        list(WaferFiles([tmp_path / "b.bad"], strict=True))


def test_the_limit_counts_wafers_and_leaves_later_files_unread(
    tmp_path: Path, write_npz: WriteNpz
) -> None:
    first = write_npz(tmp_path / "a.npz", "clean", "edge")
    second = write_npz(tmp_path / "b.npz", "clean", "edge")
    files = WaferFiles([first, second, tmp_path / "missing"], limit=3)
    assert len(list(files)) == 3
    assert files.expected == 3
    assert files.skipped == []


@pytest.fixture
def lot(tmp_path: Path, write_npz: WriteNpz) -> Path:
    """Return a folder of good and bad files; beside it lies a zip of the same files."""
    folder = tmp_path / "lot"
    folder.mkdir()
    write_npz(folder / "a.npz", "clean")
    (folder / "b.stdf").write_bytes(bytes([2, 0, 0, 10, 2, 4]))
    good = write_npz(folder / "c.npz", "edge", "clean").read_bytes()
    (folder / "d.npz.gz").write_bytes(gzip.compress(good)[:10])
    (folder / "e.txt").write_text("read me, please")
    write_npz(folder / "f.npz", "particle")
    with zipfile.ZipFile(tmp_path / "lot.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return folder


def names(files: WaferFiles) -> list[str]:
    return [wafer.wafer_id for wafer in files]


def test_a_zip_gives_what_the_folder_gives(lot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = lot.with_suffix(".zip")
    loose, files = WaferFiles(find_files([str(lot)])), WaferFiles([packed])
    assert names(loose) == names(files) == ["clean-0", "edge-0", "clean-1", "particle-0"]
    assert loose.skipped == [str(lot / name) for name in ("b.stdf", "d.npz.gz", "e.txt")]
    assert files.skipped == [f"{packed}:{name}" for name in ("b.stdf", "d.npz", "e.txt")]
    assert loose.count == files.count == 6
    assert (files.known, files.expected) == (4, 4)
    warned = capsys.readouterr().err
    assert all(warned.count(f"warning: skipped {name}: ") == 1 for name in files.skipped)


def test_a_zip_with_a_bad_file_stops_a_strict_run(lot: Path) -> None:
    with pytest.raises(FormatError, match=r"b\.stdf"):
        list(WaferFiles([lot.with_suffix(".zip")], strict=True))


def test_the_limit_leaves_later_members_unread(lot: Path) -> None:
    files = WaferFiles([lot.with_suffix(".zip")], limit=2)
    assert names(files) == ["clean-0", "edge-0"]
    assert len(files.skipped) == 1


def test_a_zip_that_breaks_off_gives_what_was_read(tmp_path: Path, lot: Path) -> None:
    path = tmp_path / "nested.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(lot / "a.npz", "a.npz")
        archive.writestr("b.zip", lot.with_suffix(".zip").read_bytes()[:200])
        archive.write(lot / "c.npz", "c.npz")
    files = WaferFiles([path])
    assert names(files) == ["clean-0"]
    assert files.skipped == [f"the rest of {path}"]


def test_files_without_wafers_are_skipped(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "none:1.zip", "w").close()
    files = WaferFiles([tmp_path / "none:1.zip"])
    assert names(files) == []
    assert files.skipped == [str(tmp_path / "none:1.zip")]
    assert files.count == 1
