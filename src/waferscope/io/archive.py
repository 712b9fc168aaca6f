"""Files as bounded streams: plain, gz, bz2, xz and zip, with hard limits against bombs.

Nothing is ever unpacked to disk. A packed file yields its members one by one; each is a `Blob`, a
stream whose unpacked bytes are counted against the limits while they are read.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Literal, Protocol, cast

from waferscope.errors import FormatError, InputError

Packing = Literal["gz", "bz2", "xz", "zip"]
NAMELESS: Final = "<bytes>"
"""Name of what was given as bytes instead of a path."""
HEAD_BYTES: Final = 1 << 16
CHUNK_BYTES: Final = 1 << 20
_XZ_MEMORY: Final = 128 << 20
_ZIP_TAIL: Final = 22 + 0xFFFF
_ZIP_ENTRY: Final = 512
_MAGIC: Final[tuple[tuple[bytes, Packing], ...]] = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
_ZIP_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
# What the decompressors raise on damaged data.
_DAMAGE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a packed file may grow.

    ``total_bytes`` is what all members together may unpack to, ``whole_bytes`` what may be held in
    memory at once, ``wafers`` how many one file may name: a table of equal rows packs to nothing.
    Past ``ratio_floor`` bytes, unpacked over packed size may not exceed ``ratio``.
    ``depth`` counts nested packings: 2 allows a gz inside a zip and nothing inside that.
    """

    total_bytes: int = 4 << 30
    whole_bytes: int = 256 << 20
    ratio: int = 200
    ratio_floor: int = 64 << 20
    members: int = 1000
    wafers: int = 2_000_000
    depth: int = 2


LIMITS: Final = Limits()


class Blob:
    """One file to be read, whatever it was packed in.

    ``head`` holds its first bytes (for sniffing), ``sha256`` is that of the file it came from.
    ``cut_short`` says, once reading has met it, how the packing was damaged ("" when it was not).
    """

    def __init__(
        self,
        name: str,
        sha256: str,
        source: object,
        limits: Limits = LIMITS,
        budget: _Budget | None = None,
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.limits = limits
        self._source = source
        self._pipe = _Pipe(source, budget)
        self.stream = io.BufferedReader(self._pipe, HEAD_BYTES)
        self.head = bytes(self.stream.peek(HEAD_BYTES))

    @property
    def cut_short(self) -> str:
        """How the packing was damaged, as far as it has been read; "" for a sound one."""
        return self._pipe.damage

    @property
    def lost(self) -> bool:
        """Whether the packing is so damaged that nothing of the file comes out."""
        return not self.head and bool(self.cut_short)

    def check_found(self) -> None:
        """Raise FormatError when nothing of the file comes out of its packing."""
        if self.lost:
            raise _damaged(self.name, self.cut_short)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in order, about a megabyte at a time, ending early at damage."""
        while chunk := self.stream.read(CHUNK_BYTES):
            yield chunk

    def read_all(self) -> bytes:
        """Return the whole file; raise FormatError when it is too large to hold or damaged."""
        parts, size = [], 0
        for chunk in self.chunks():
            size += len(chunk)
            if size > self.limits.whole_bytes:
                raise _too_large(self.name, self.limits.whole_bytes)
            parts.append(chunk)
        if self.cut_short:
            raise _damaged(self.name, self.cut_short)
        return b"".join(parts)

    def check_wafers(self, count: int) -> None:
        """Raise FormatError when the file names more wafers than are read."""
        if count > self.limits.wafers:
            raise FormatError(
                f"Expected at most {self.limits.wafers:,} wafers in {self.name}, got {count:,}. "
                "Split it into smaller files."
            )

    def seekable(self) -> IO[bytes]:
        """Return the bytes as a stream that can seek, rewound; this blob is used up by it."""
        if isinstance(self._source, io.BufferedReader | io.BytesIO):
            self._source.seek(0)
            return self._source
        return io.BytesIO(self.read_all())


def open_blobs(
    source: str | os.PathLike[str] | bytes,
    is_known: Callable[[bytes], bool],
    limits: Limits = LIMITS,
) -> Iterator[Blob]:
    """Yield what a path or bytes hold, unpacked; read each blob before asking for the next.

    A head that ``is_known`` claims is not unpacked further (an .npz is a zip, and a format too).
    A member that is damaged says so itself, and the next ones come. Raises FormatError for what
    cannot be opened or grows past the limits.
    """
    stream, name = _open(source)
    with stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        packed = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        blob = Blob(name, digest, stream, limits)
        yield from _unpack(blob, is_known, _Budget(packed, limits), 0)


def packing_of(head: bytes) -> Packing | None:
    """Tell from the first bytes how a file is packed; None for a plain one.

    >>> packing_of(b"BZh91AY")
    'bz2'
    """
    return next((packing for magic, packing in _MAGIC if head.startswith(magic)), None)


def pack(data: bytes, packing: str) -> bytes:
    """Return the data compressed as gz, bz2 or xz, the same bytes every time."""
    if packing == "gz":
        return gzip.compress(data, mtime=0)
    return bz2.compress(data) if packing == "bz2" else lzma.compress(data)


class _Budget:
    """Unpacked bytes of one outer file, all members and layers together."""

    def __init__(self, packed: int, limits: Limits) -> None:
        self.packed, self.limits, self.spent = packed, limits, 0

    def spend(self, count: int) -> None:
        self.spent += count
        if self.spent > self.limits.total_bytes:
            raise _too_large("the archive", self.limits.total_bytes)
        if self.spent > max(self.limits.ratio_floor, self.limits.ratio * self.packed):
            raise FormatError(
                f"Expected an archive that unpacks to at most {self.limits.ratio} times its size, "
                f"got {self.spent:,} bytes from {self.packed:,}. "
                "Unpack it yourself if you trust it."
            )


class _Source(Protocol):
    def read1(self, size: int = ..., /) -> bytes: ...


class _Pipe(io.RawIOBase):
    """A raw stream that counts what it passes on and ends, saying why, where its source breaks."""

    def __init__(self, source: object, budget: _Budget | None = None) -> None:
        self._source = cast(_Source, source)
        self._budget = budget
        self.damage = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and not self.damage:
            try:
                data = self._source.read1(len(view) - filled)
            except _DAMAGE as error:
                self.damage = str(error) or type(error).__name__
                break
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
        if self._budget is not None:
            self._budget.spend(filled)
        return filled


class _XzReader:
    """xz streams, one after another, within a memory limit that a header cannot raise."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._decoder: lzma.LZMADecompressor | None = None
        self._rest = b""

    def read1(self, size: int = CHUNK_BYTES) -> bytes:
        data = b""
        while not data:
            if self._decoder is None:
                self._rest = self._rest.lstrip(b"\0") or self._source.read(HEAD_BYTES).lstrip(b"\0")
                if not self._rest:
                    return b""
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            elif self._decoder.needs_input:
                self._rest = self._source.read(HEAD_BYTES)
                if not self._rest:
                    raise EOFError("the xz data ends before its end marker")
            data = self._decoder.decompress(self._rest, size)
            self._rest = b""
            if self._decoder.eof:
                self._rest, self._decoder = self._decoder.unused_data, None
        return data


def _open(source: str | os.PathLike[str] | bytes) -> tuple[io.BufferedReader | io.BytesIO, str]:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(bytes(source)), NAMELESS
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            f"Expected a path or bytes, got {type(source).__name__}. Pass a str, a Path or bytes."
        )
    path = Path(source)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError(f"Expected a file, got {path}. Give the path of one file.")
        return path.open("rb"), path.name
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(
            f"Expected a readable file, got {str(path)!r} ({reason}). Check the path."
        ) from error


def _unpack(
    blob: Blob, is_known: Callable[[bytes], bool], budget: _Budget, depth: int
) -> Iterator[Blob]:
    packing = packing_of(blob.head)
    if packing is None or is_known(blob.head):
        yield blob
        return
    if depth >= blob.limits.depth:
        raise FormatError(
            f"Expected at most {blob.limits.depth} packings inside each other, "
            f"got another {packing} in {blob.name}. Unpack the outer ones yourself."
        )
    inner = _members(blob, budget) if packing == "zip" else _single(blob, packing, budget)
    for member in inner:
        yield from _unpack(member, is_known, budget, depth + 1)


def _single(blob: Blob, packing: Packing, budget: _Budget) -> Iterator[Blob]:
    source = blob.stream
    reader: object
    if packing == "xz":
        reader = _XzReader(source)
    else:
        reader = gzip.GzipFile(fileobj=source) if packing == "gz" else bz2.BZ2File(source)
    name = blob.name.removesuffix(f".{packing}")
    yield Blob(name, blob.sha256, reader, blob.limits, budget)


def _members(blob: Blob, budget: _Budget) -> Iterator[Blob]:
    stream = blob.seekable()
    try:
        check_directory(stream, blob)
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                if not _is_content(info.filename):
                    continue
                if info.flag_bits & 1 or info.compress_type not in _ZIP_METHODS:
                    raise FormatError(
                        "Expected a plain zip (stored, deflate or bzip2, no password), got "
                        f"another kind in {blob.name}. Unpack it yourself and pass the files."
                    )
                name = f"{blob.name}:{_plain_name(info.filename)}"
                with archive.open(info) as member:
                    yield Blob(name, blob.sha256, member, blob.limits, budget)
    # ValueError: a directory that points before the file's start, or a name in no known encoding.
    except (zipfile.BadZipFile, struct.error, NotImplementedError, ValueError) as error:
        raise _damaged(blob.name, str(error)) from error


def check_directory(stream: IO[bytes], blob: Blob) -> None:
    """Refuse a zip of too many members before its directory is parsed into objects."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _ZIP_TAIL))
    tail = stream.read(_ZIP_TAIL)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 16 > len(tail):
        raise _damaged(blob.name, "its directory is missing; the file may be cut short")
    count, directory = struct.unpack_from("<HI", tail, at + 10)
    if count > blob.limits.members or directory > blob.limits.members * _ZIP_ENTRY:
        raise FormatError(
            f"Expected at most {blob.limits.members} members in {blob.name}, got "
            f"{count} in a directory of {directory:,} bytes. Split the archive."
        )
    stream.seek(0)


def _is_content(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return not (hidden or name.endswith("/"))


def _plain_name(name: str) -> str:
    """Return a member's own name without its folders or anything that is not printable."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:255]


def _damaged(name: str, reason: str) -> FormatError:
    return FormatError(
        f"Expected a sound archive, got {name} damaged ({reason}). Fetch or pack the file again."
    )


def _too_large(name: str, limit: int) -> FormatError:
    return FormatError(
        f"Expected at most {limit:,} bytes in {name}, got more. Split it into smaller files."
    )
