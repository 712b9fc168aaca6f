"""Packed files: every packing is opened, every bomb is refused, nothing else comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.errors import FormatError, InputError
from waferscope.io.archive import LIMITS, Limits, open_blobs, pack, packing_of

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda data: zipped({"inner.bin": data}),
}
SMALL = replace(LIMITS, ratio_floor=10_000, ratio=10, total_bytes=1_000_000, members=5)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def unpack(source: bytes | Path, limits: Limits = LIMITS) -> list[tuple[str, bytes]]:
    return [(blob.name, blob.read_all()) for blob in open_blobs(source, lambda head: False, limits)]


@settings(max_examples=40)
@given(st.binary(max_size=5000), st.sampled_from(sorted(PACKERS)))
def test_what_was_packed_comes_out(data: bytes, packing: str) -> None:
    if packing_of(data) is None:
        ((_, found),) = unpack(PACKERS[packing](data))
        assert found == data


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_pack_is_undone_and_repeatable(packing: str) -> None:
    assert pack(b"abc" * 99, packing) == pack(b"abc" * 99, packing)
    assert unpack(pack(b"abc" * 99, packing))[0][1] == b"abc" * 99


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz"])
def test_streams_joined_end_to_end(packing: str) -> None:
    packer = PACKERS[packing]
    ((_, found),) = unpack(packer(b"one") + packer(b"two"))
    assert found == b"onetwo"


def test_xz_padding_between_streams() -> None:
    assert unpack(lzma.compress(b"a") + bytes(8) + lzma.compress(b"b"))[0][1] == b"ab"


def test_names_and_digest_follow_the_outer_file(tmp_path: Path) -> None:
    path = tmp_path / "lot.stdf.gz"
    path.write_bytes(gzip.compress(b"data"))
    (blob,) = open_blobs(path, lambda head: False)
    assert blob.name == "lot.stdf"
    assert len(blob.sha256) == 64
    names = [name for name, _ in unpack(zipped({"../../etc/passwd": b"x", "a\\b\x07c.csv": b"y"}))]
    assert names == ["<bytes>:passwd", "<bytes>:bc.csv"]


def test_folders_and_hidden_members_are_no_content() -> None:
    members = {"d/": b"", "__MACOSX/a.csv": b"x", ".DS_Store": b"x", "d/a.csv": b"real"}
    assert unpack(zipped(members)) == [("<bytes>:a.csv", b"real")]


def test_a_packed_file_inside_a_zip() -> None:
    assert unpack(zipped({"a.gz": gzip.compress(b"deep")})) == [("<bytes>:a", b"deep")]


def test_deeper_nesting_is_refused() -> None:
    inner = zipped({"a.gz": gzip.compress(gzip.compress(b"deep"))})
    with pytest.raises(FormatError, match="at most 2 packings"):
        unpack(inner)


def test_a_known_format_is_not_unpacked() -> None:
    data = zipped({"a.npy": b"x"})
    blobs = open_blobs(data, lambda head: head.startswith(b"PK"))
    blob = next(blobs)
    assert blob.read_all() == data


@pytest.mark.parametrize("packing", sorted(PACKERS))
def test_bombs_are_refused(packing: str) -> None:
    with pytest.raises(FormatError, match="at most 10 times its size"):
        unpack(PACKERS[packing](bytes(500_000)), SMALL)


def test_all_members_count_together() -> None:
    data = zipped({f"{n}.bin": bytes(8_000) for n in range(4)})
    with pytest.raises(FormatError, match="unpacks to at most"):
        unpack(data, SMALL)


def test_absolute_size() -> None:
    limits = replace(SMALL, ratio=10**9)
    with pytest.raises(FormatError, match="at most 1,000,000 bytes"):
        unpack(gzip.compress(bytes(1_500_000)), limits)
    with pytest.raises(FormatError, match="at most 9 bytes"):
        unpack(b"0123456789", replace(LIMITS, whole_bytes=9))


def test_too_many_members() -> None:
    with pytest.raises(FormatError, match="at most 5 members"):
        unpack(zipped({f"{n}": b"" for n in range(6)}), SMALL)


def test_a_directory_that_lies_about_its_count_is_still_bounded() -> None:
    data = bytearray(zipped({f"{n:0200}": b"" for n in range(40)}))
    at = data.rindex(b"PK\x05\x06")
    data[at + 8 : at + 12] = (1).to_bytes(2, "little") * 2
    with pytest.raises(FormatError, match="in a directory of"):
        unpack(bytes(data), SMALL)


def test_xz_that_asks_for_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    with pytest.raises(FormatError, match="damaged"):
        unpack(lzma.compress(b"x" * 9, filters=filters))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA])
def test_zip_methods_without_bounds_are_refused(method: int) -> None:
    with pytest.raises(FormatError, match="plain zip"):
        unpack(zipped({"a": b"x"}, method))


def test_a_password_is_refused() -> None:
    data = bytearray(zipped({"a": b"x"}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    with pytest.raises(FormatError, match="no password"):
        unpack(bytes(data))


@pytest.mark.parametrize("packing", sorted(PACKERS))
def test_every_truncation_is_refused(packing: str) -> None:
    data = PACKERS[packing](b"wafer map " * 9)
    for cut in range(6, len(data)):
        with pytest.raises(FormatError):
            unpack(data[:cut])


@settings(max_examples=150)
@given(st.data())
def test_damage_raises_only_format_error(data: st.DataObject) -> None:
    packing = data.draw(st.sampled_from(sorted(PACKERS)))
    broken = bytearray(PACKERS[packing](bytes(range(200)) * 3))
    for _ in range(data.draw(st.integers(1, 5))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        unpack(bytes(broken))


def test_chunks_end_early_at_damage_and_say_so() -> None:
    packed = gzip.compress(bytes(range(256)) * 4000, compresslevel=1)
    blobs = open_blobs(packed[:-2000], lambda head: False)
    blob = next(blobs)
    assert 0 < len(b"".join(blob.chunks())) < 256 * 4000
    assert "end-of-stream" in blob.cut_short


@pytest.mark.parametrize("path", ["missing.csv", "nul\0byte", "."])
def test_paths_that_are_no_file(path: str) -> None:
    with pytest.raises(FormatError, match=r"Expected a (readable )?file"):
        unpack(path)  # type: ignore[arg-type]


def test_what_is_neither_path_nor_bytes() -> None:
    with pytest.raises(InputError, match="got int"):
        unpack(7)  # type: ignore[arg-type]


def test_bytes_of_other_types() -> None:
    assert unpack(bytearray(b"ab"))[0][1] == unpack(memoryview(b"ab"))[0][1] == b"ab"  # type: ignore[arg-type]


def test_a_damaged_member_leaves_the_others() -> None:
    data = zipped({"a": b"1", "b.gz": gzip.compress(b"2" * 99)[:10], "c": b"3"})
    a, b, c = ((blob, blob.head) for blob in open_blobs(data, lambda head: False))
    assert (a[1], b[1], c[1]) == (b"1", b"", b"3")
    assert [blob.lost for blob, _ in (a, b, c)] == [False, True, False]
    with pytest.raises(FormatError, match="b damaged"):
        b[0].check_found()
