"""Files appear whole or not at all, under names that every system takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from waferscope.errors import FormatError
from waferscope.io.files import file_stem, kept_name, make_folder, safe_name, write_whole


def test_a_file_is_written_in_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for data in (b"old and long", b"new", b""):
        write_whole(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_name_a_file_can_have(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_whole(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize(
    ("name", "why"),
    [("missing/a", "No such file"), ("taken", "directory"), ("a\0b", "null"), ("n" * 256, "long")],
)
def test_what_cannot_be_written_leaves_nothing(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(FormatError, match=rf"place that can be written.*{why}"):
        write_whole(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("path", [Path(), Path("/")])
def test_a_file_has_a_name(path: Path) -> None:
    with pytest.raises(FormatError, match="Give it a name"):
        write_whole(path, b"x")


def test_folders(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for taken in ("file", "file/below", "nul\0"):
        with pytest.raises(FormatError, match="Give a path that is free"):
            make_folder(tmp_path / taken)


@pytest.mark.parametrize("name", ["con", "CON.txt", "../x", "", "..", "ä", "a" * 300])
def test_safe_names(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= 81
    assert safe.lower() not in ("con", "con.txt", "..")
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@pytest.mark.parametrize("name", ["con", "../x", "", "..", "ä/ö", "晶" * 300, "a\0b", "C:\\x"])
def test_kept_names_stay_in_their_folder(name: str) -> None:
    kept = kept_name(name)
    assert 0 < len(kept.encode()) <= 81
    assert kept.lower() not in ("con", "..")
    assert not set(kept) & set("/\\\0:")
    assert not kept.startswith(".")


def test_names_of_devices_get_a_letter_before_them() -> None:
    assert [safe_name(n) for n in ("con", "NUL.txt", "com1", "console")] == [
        "_con",
        "_NUL.txt",
        "_com1",
        "console",
    ]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("W01.xml", "W01"),
        ("W01.e142.xml", "W01.e142"),
        ("lot.zip:folder/W02.sinf", "W02"),
        ("outer.zip:inner.zip:W03.kla", "W03"),
        ("W04", "W04"),
        ("<bytes>", ""),
    ],
)
def test_stems(name: str, stem: str) -> None:
    assert file_stem(name) == stem
