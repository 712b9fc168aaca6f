"""Blobs, in a folder and in a store that speaks S3."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from waferscope.errors import ConfigError, FullError, NotFoundError, UnavailableError
from waferscope.service import storage
from waferscope.service.storage import Blobs, blob_name
from waferscope.service.tables.row import now

NAME = "wafers/ab/abcdef"


@pytest.fixture
def blobs(blobs_url: str) -> Blobs:
    return Blobs(blobs_url)


def test_bytes_are_kept_replaced_and_deleted(blobs: Blobs) -> None:
    blobs.ping()
    assert not blobs.has(NAME)
    for content in (b"one", b"", b"\x00" * 100_000):
        blobs.put(NAME, content)
        assert blobs.has(NAME)
        assert blobs.get(NAME) == content
    blobs.delete(NAME)
    blobs.delete(NAME)
    assert not blobs.has(NAME)
    with pytest.raises(NotFoundError, match=NAME):
        blobs.get(NAME)


def test_a_file_is_kept_and_streamed_in_parts(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PART_BYTES", 1000)
    content = bytes(range(256)) * 10
    (tmp_path / "file").write_bytes(content)
    blobs.put_file(NAME, tmp_path / "file")
    parts = list(blobs.stream(NAME))
    assert len(parts) == 3
    assert b"".join(parts) == content
    with pytest.raises(NotFoundError):
        blobs.stream("wafers/no/none")


def test_all_names_are_listed_with_their_age(blobs: Blobs) -> None:
    names = {f"wafers/{number:02}/{number}" for number in range(12)} | {"exports/aa/x.csv"}
    for name in names:
        blobs.put(name, b"x")
    assert set(blobs.names()) == names
    assert set(blobs.names("exports")) == {"exports/aa/x.csv"}
    assert all(now() - at < timedelta(minutes=5) for _, at in blobs.ages())


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "wafers/../x",
        "/etc/passwd",
        "wafers",
        "wafers/",
        "wafers//x",
        "a/b\\c",
        "a/b\nc",
        "a/..",
        "wafers/a/.",
        "a/ü",
        "",
    ],
)
def test_other_names_are_refused(blobs: Blobs, name: str) -> None:
    for call in (lambda: blobs.get(name), lambda: blobs.put(name, b""), lambda: blobs.delete(name)):
        with pytest.raises(ConfigError, match="blob name"):
            call()


def test_names_spread_over_folders() -> None:
    assert blob_name("wafers", "d2a84f4b") == "wafers/d2/d2a84f4b"
    assert blob_name("exports", "bat_01hxyz.csv") == "exports/yz/bat_01hxyz.csv"


@pytest.mark.parametrize("url", ["", "ftp://x/y", "gs://bucket", "wafers"])
def test_other_stores_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="WAFERSCOPE_BLOBS_URL"):
        Blobs(url)


def test_a_store_out_of_reach_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    blobs = Blobs("s3://bucket/prefix")
    with pytest.raises(UnavailableError):
        blobs.ping()


def test_a_full_disk_is_said(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("obstore.put", fail)
    with pytest.raises(FullError, match="no room"):
        blobs.put(NAME, b"x")
