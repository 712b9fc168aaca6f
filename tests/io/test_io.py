"""The face of the room: read, write, sniff and the two tables."""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import waferscope
from tests.hand_made import build_prediction
from tests.io.stdf_file import prr, whole, wir
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError, InputError
from waferscope.io import READERS, WRITERS, read, read_parts, sniff, write
from waferscope.io.archive import Limits
from waferscope.io.formats import ReadOptions

STDF = whole(wir(), prr(0, 0), prr(1, 0, flag=8))
CSV = b"x,y,bin\n0,0,1\n1,0,2\n"


def wafers(count: int = 2) -> list[WaferMap]:
    dies = np.array([[1, 2], [2, 1]], np.uint8)
    return [WaferMap(dies, wafer_id=f"W{number}", lot_id="L") for number in range(count)]


def predictions(count: int = 2) -> list[Prediction]:
    zone = {"particle": (slice(2, 5), slice(3, 6))}
    return [build_prediction(zone, ["Loc"], wafer_id=f"W{n}", lot_id="L") for n in range(count)]


def test_rows_say_what_they_are() -> None:
    assert all(name == row.name and row.about for name, row in READERS.items())
    assert all(key == (row.name, row.takes) for key, row in WRITERS.items())
    assert all(e.startswith(".") for row in READERS.values() for e in row.extensions)


@pytest.mark.parametrize("wrap", [bytes, bytearray])
@pytest.mark.parametrize(("data", "name"), [(STDF, "stdf"), (CSV, "csv")])
def test_content_tells_the_format(data: bytes, name: str, wrap: Any, tmp_path: Path) -> None:
    path = tmp_path / "misleading.parquet"
    path.write_bytes(data)
    assert sniff(data) == name
    for source in (wrap(data), path, str(path)):
        (wafer,) = read(source)
        assert wafer.dies.tolist() == [[1, 2]]
        assert wafer.source is not None
        assert wafer.source.format == name
        assert wafer.source.name in ("<bytes>", path.name)
    assert wafer.source is not None
    assert wafer.source.name == "misleading.parquet"


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "a.stdf.gz"
    path.write_bytes(gzip.compress(STDF))
    (wafer,) = read(path)
    assert wafer.source is not None
    assert wafer.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert wafer.source.name == "a.stdf"


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def test_an_archive_of_several_formats() -> None:
    found = read(archive(a=STDF, b=gzip.compress(CSV), c=b"read me, please"))
    assert [w.source.format for w in found if w.source] == ["stdf", "csv"]
    assert all("no known format left out: <bytes>:c" in w.notes[-1] for w in found)
    with pytest.raises(FormatError, match="<bytes>:c starting with"):
        read(archive(a=STDF, c=b"read me, please"), strict=True)
    with pytest.raises(FormatError):
        read(archive())


def test_the_parts_of_an_archive_fail_one_by_one() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("good.csv", CSV)
        archive.writestr("readme.md", b"\x00 nothing")
        archive.writestr("broken.stdf", STDF[:8])
        archive.writestr("more.stdf", STDF)
    parts = list(read_parts(sink.getvalue(), None, ReadOptions()))
    assert [(part.format, len(part.wafers)) for part in parts] == [
        ("csv", 1),
        ("", 0),
        ("stdf", 0),
        ("stdf", 1),
    ]
    assert [part.error is None for part in parts] == [True, False, False, True]
    with pytest.raises(FormatError, match="broken"):
        read(sink.getvalue())


def test_a_part_that_cannot_be_unpacked_leaves_the_others() -> None:
    data = archive(a=STDF, b=gzip.compress(CSV)[:10], c=CSV)
    for format, kinds in ((None, ["stdf", "", "csv"]), ("stdf", ["stdf"] * 3)):
        parts = list(read_parts(data, format, ReadOptions()))
        assert [part.format for part in parts] == kinds
        assert [part.damaged for part in parts] == [False, True, False]
        assert "Expected a sound archive, got <bytes>:b damaged" in str(parts[1].error)
    with pytest.raises(FormatError, match="<bytes>:b damaged"):
        read(data)


def test_parts_of_a_refused_format_are_not_read() -> None:
    (part,) = read_parts(STDF, None, ReadOptions(), refused={"stdf"})
    assert part.error is not None
    assert "waferscope convert" in str(part.error)
    assert part.wafers == []


def test_parts_keep_within_limits() -> None:
    parts = read_parts(gzip.compress(CSV * 50), None, ReadOptions(), Limits(total_bytes=100))
    with pytest.raises(FormatError, match="at most 100 bytes"):
        list(parts)


@pytest.mark.parametrize("data", [b"", b"hello world", b"{}", bytes(100)])
def test_unknown_content(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"Expected one of the formats stdf, .*Name its format"):
        read(data)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(FormatError, match="got 'docx'"):
        read(STDF, "docx")
    with pytest.raises(FormatError, match="got 'docx'"):
        list(read_parts(STDF, "docx", ReadOptions()))


def test_a_named_format_overrides_the_content() -> None:
    with pytest.raises(FormatError, match="FAR record"):
        read(CSV, "stdf")


@pytest.mark.parametrize(
    "suffix", [".stdf", ".csv", ".parquet", ".npz", ".std", ".stdf.gz", ".csv.bz2"]
)
def test_wafers_out_and_in(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"lot{suffix}"
    assert write(wafers(), path) == [path]
    found = read(path)
    assert [(w.wafer_id, w.lot_id) for w in found] == [("W0", "L"), ("W1", "L")]
    assert all(w.dies.tolist() == [[1, 2], [2, 1]] for w in found)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_suffixes_pick_the_writer(tmp_path: Path) -> None:
    write(predictions(), tmp_path / "a.coco.json")
    write(predictions(), tmp_path / "a.json")
    assert "annotations" in json.loads((tmp_path / "a.coco.json").read_bytes())
    assert isinstance(json.loads((tmp_path / "a.json").read_bytes()), list)
    write(predictions(1)[0], tmp_path / "odd.name", "csv")
    assert (tmp_path / "odd.name").read_bytes().startswith(b"wafer_id,lot_id,rows")


def test_pictures_one_or_a_folder(tmp_path: Path) -> None:
    assert write(wafers(1), tmp_path / "one.png") == [tmp_path / "one.png"]
    same = [wafers(1)[0]] * 2
    names = [path.name for path in write(iter(same), tmp_path / "many.png")]
    assert names == ["L_W0.png", "L_W0~2.png"]
    found = write(predictions(), tmp_path / "folder", "png")
    assert [path.parent.name for path in found] == ["folder", "folder"]
    with pytest.raises(FormatError, match="Give an item"):
        write([], tmp_path / "none.png")
    (tmp_path / "taken").write_text("x")
    with pytest.raises(FormatError, match="path that is free"):
        write(predictions(), tmp_path / "taken", "png")


@pytest.mark.parametrize(
    ("items", "name", "error", "words"),
    [
        (wafers(), "a.docx", FormatError, "got '.docx'"),
        (wafers(), "a.coco.json", FormatError, r"got '\.coco\.json', which is for predictions"),
        (wafers(), "a.polygons.coco.json", FormatError, "format for wafers"),
        (wafers(), "a.masks.png", FormatError, "format for wafers"),
        (predictions(), "a.dies.png", FormatError, "which is for wafers alone"),
        (predictions(), "a.stdf", FormatError, "format for predictions"),
        ([*wafers(), *predictions()], "a.csv", InputError, "got both"),
        ([7], "a.csv", InputError, "got int"),
        (7, "a.csv", InputError, "got int"),
        ([], "a.stdf", FormatError, "at least one wafer"),
        (wafers(), "missing/a.csv", FormatError, "place that can be written"),
        (wafers(), "nul\0.csv", FormatError, "place that can be written"),
    ],
)
def test_what_cannot_be_written(
    items: Any, name: str, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        write(items, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_masks_are_written_of_predictions_alone(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="format for wafers"):
        write(wafers(), tmp_path / "a.json", "coco")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.stdf"
    path.write_bytes(b"old")
    with pytest.raises(FormatError):
        write([WaferMap(np.zeros((2, 2), np.uint8))], path)
    assert path.read_bytes() == b"old"


def test_reading_loads_neither_scipy_nor_torch() -> None:
    heavy = "{'scipy', 'torch', 'cv2', 'PIL'}"
    code = f"import sys, waferscope.io; print(sorted({heavy} & {{*sys.modules}}))"
    paths = {**os.environ, "PYTHONPATH": str(Path(waferscope.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=paths
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("data", [b"x,y\n1,2\n", b"FileVersion 1 9;", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("format", [None, "csv", "klarf", "png"])
def test_a_refused_file_leaves_nothing_to_the_garbage_collector(
    data: bytes, format: str | None
) -> None:
    """An error that its own frames hold keeps every array of the reader until it comes."""
    with suppress(FormatError):
        read(data, format)
    gc.collect()
    gc.disable()
    try:
        with suppress(FormatError):
            read(data, format)
        left = [found for found in gc.get_objects() if isinstance(found, FormatError)]
    finally:
        gc.enable()
    assert left == []
