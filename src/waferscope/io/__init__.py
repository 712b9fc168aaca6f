"""Outside formats and domain values: two plain tables, and the few functions that use them.

A new format is one file in this folder and one row in READERS or WRITERS.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError, InputError, WaferError
from waferscope.io import (
    coco,
    columnar,
    columns,
    image,
    json_wafer,
    klarf,
    lswmd,
    mask_png,
    mixedwm38,
    picture,
    picture_file,
    results,
    semi,
    sinf,
    sinf_write,
    stdf,
    table,
    xlsx,
)
from waferscope.io.archive import LIMITS, Blob, Limits, open_blobs, pack
from waferscope.io.files import write_whole
from waferscope.io.folder import WaferFolder, name_of
from waferscope.io.formats import (
    FilePart,
    ReadChoices,
    Reader,
    ReadOptions,
    Takes,
    WriteOptions,
    Writer,
)
from waferscope.io.inked import inked

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction

__all__ = [
    "READERS",
    "WRITERS",
    "WriteOptions",
    "read",
    "read_parts",
    "sniff",
    "write",
    "writer_for",
]

_PLAIN: Final = WriteOptions()
_E142: Final = (".e142.xml", ".e142", ".xml")
_G85: Final = (".g85.xml", ".g85")
_SINF: Final = (".sinf", ".sin")
_KLARF: Final = (".klarf", ".kla", ".000", ".001")

# Content decides, in this order: the formats that are told for certain first, plain text last.
_READERS: Final = (
    Reader("stdf", "STDF V4 test results", (".stdf", ".std"), stdf.is_stdf, stdf.read_stdf),
    Reader(
        "parquet",
        "Parquet table of wafers",
        (".parquet",),
        columnar.is_parquet,
        columnar.read_parquet,
    ),
    Reader(
        "mixedwm38",
        "MixedWM38 as published",
        (".npz",),
        mixedwm38.is_mixedwm38,
        mixedwm38.read_mixedwm38,
    ),
    Reader("npz", "NumPy arrays of wafers", (".npz",), columnar.is_npz, columnar.read_npz),
    Reader("xlsx", "Excel workbook", (".xlsx",), xlsx.is_workbook, xlsx.read_xlsx),
    Reader("lswmd", "WM-811K as published", (".pkl",), lswmd.is_lswmd, lswmd.read_lswmd),
    Reader("klarf", "KLARF defect list", _KLARF, klarf.is_klarf, klarf.read_klarf),
    Reader("e142", "SEMI E142 substrate map", _E142, semi.is_e142, semi.read_e142),
    Reader("g85", "SEMI G85 wafer map", (*_G85, ".xml"), semi.is_g85, semi.read_g85),
    Reader("sinf", "SINF wafer map", _SINF, sinf.is_sinf, sinf.read_sinf),
    Reader(
        "png",
        "PNG or TIFF picture of a wafer map",
        (".png", ".tif", ".tiff"),
        picture_file.is_picture,
        picture.read_picture,
    ),
    Reader(
        "json",
        "wafers as JSON",
        (".json",),
        json_wafer.is_json_wafer,
        json_wafer.read_json_wafers,
    ),
    Reader(
        "csv",
        "die list or matrix as text",
        (".csv", ".tsv", ".txt"),
        table.is_table,
        table.read_table,
    ),
)
READERS: Final[dict[str, Reader]] = {row.name: row for row in _READERS}

_WRITERS: Final = (
    Writer("stdf", "STDF V4", (".stdf", ".std"), "wafers", stdf.stdf_row, stdf.stdf_bytes),
    Writer("parquet", "table", (".parquet",), "wafers", columns.row_of, columnar.parquet_bytes),
    Writer("npz", "NumPy arrays", (".npz",), "wafers", columns.row_of, columnar.npz_bytes),
    Writer("csv", "die list", (".csv",), "wafers", table.die_rows, table.die_list_bytes),
    Writer("e142", "SEMI E142", _E142, "wafers", semi.e142_row, semi.e142_bytes),
    Writer("g85", "SEMI G85", _G85, "wafers", semi.g85_row, semi.g85_bytes),
    Writer("sinf", "SINF", _SINF, "wafers", sinf_write.sinf_row, sinf_write.sinf_bytes),
    Writer(
        "json",
        "full records",
        (".json",),
        "wafers",
        json_wafer.json_wafer_row,
        results.json_bytes,
    ),
    Writer("klarf", "KLARF 1.2", _KLARF, "wafers", klarf.klarf_row, klarf.klarf_bytes),
    Writer("png", "picture", (".png",), "wafers", image.map_png, None),
    Writer("dies_png", "a pixel per die", (".dies.png",), "wafers", mask_png.dies_png, None),
    Writer("csv", "result table", (".csv",), "predictions", results.result_row, results.result_csv),
    Writer(
        "parquet",
        "result table",
        (".parquet",),
        "predictions",
        results.result_row,
        results.result_parquet,
    ),
    Writer("json", "full records", (".json",), "predictions", results.json_row, results.json_bytes),
    Writer(
        "klarf",
        "KLARF with classes",
        _KLARF,
        "predictions",
        klarf.klarf_marked_row,
        klarf.klarf_bytes,
    ),
    Writer("coco", "masks", (".coco.json",), "predictions", coco.coco_row, coco.coco_bytes),
    Writer(
        "coco_polygons",
        "outlines",
        (".polygons.coco.json",),
        "predictions",
        coco.coco_polygon_row,
        coco.coco_bytes,
    ),
    Writer("mask_png", "masks", (".masks.png",), "predictions", mask_png.mask_png, None),
    Writer("png", "overlay", (".png",), "predictions", image.overlay_png, None),
    Writer("e142", "inked", _E142, "predictions", inked(semi.e142_row), semi.e142_bytes, True),
    Writer("g85", "inked", _G85, "predictions", inked(semi.g85_row), semi.g85_bytes, True),
    Writer(
        "sinf",
        "inked",
        _SINF,
        "predictions",
        inked(sinf_write.sinf_row),
        sinf_write.sinf_bytes,
        True,
    ),
)
WRITERS: Final[dict[tuple[str, Takes], Writer]] = {(row.name, row.takes): row for row in _WRITERS}


def sniff(head: bytes) -> str | None:
    """Return the name of the format that these first bytes belong to, or None.

    >>> sniff(bytes([2, 0, 0, 10, 2, 4]))
    'stdf'
    """
    return next((name for name, row in READERS.items() if row.sniff(head)), None)


def read(
    source: str | os.PathLike[str] | bytes,
    format: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    **choices: Unpack[ReadChoices],
) -> list[WaferMap]:
    """Return the wafers in a file, packed (gz, bz2, xz, zip) or plain; see `ReadOptions`.

    ``source`` is a path or the file's bytes. ``format`` is a name in READERS; without it the
    content tells. What was guessed, dropped or found damaged is in each wafer's notes. Raises
    FormatError for anything that cannot be read.
    """
    options = ReadOptions(columns=columns or {}, **choices)
    wafers: list[WaferMap] = []
    unknown: list[FilePart] = []
    part: FilePart | None = None
    try:
        for part in read_parts(source, format, options):
            if part.error is not None and (part.format or part.damaged):
                raise part.error
            wafers += part.wafers
            unknown += [part] if part.error is not None else []
        if unknown and unknown[0].error and (options.strict or not wafers):
            raise unknown[0].error
        names = ", ".join(one.name for one in unknown[:10])
    finally:
        # An error keeps the frames that it passed, and their arrays. If this frame kept the error,
        # they would stay until the garbage collector comes: 0.4 MB for each small picture.
        part = None
        unknown.clear()
    if not wafers:
        raise FormatError("Expected at least one wafer, got an empty file. Check what wrote it.")
    if names:
        note = f"files of no known format left out: {names}"
        wafers = [replace(wafer, notes=(*wafer.notes, note)) for wafer in wafers]
    return wafers


def read_parts(
    source: str | os.PathLike[str] | bytes,
    format: str | None,
    options: ReadOptions,
    limits: Limits = LIMITS,
    refused: Collection[str] = (),
) -> Iterator[FilePart]:
    """Yield each file in a source by itself, with its wafers or with why it has none.

    A plain file is one part, an archive has one for each member. Files of formats in ``refused``
    are not read. Raises FormatError for a ``format`` that is none, and when the source, or an
    archive in it, cannot be opened at all or grows past the limits.
    """
    if format is not None and format not in READERS:
        raise FormatError(
            f"Expected one of the formats {', '.join(READERS)}, got {format!r}. "
            "Leave the format out to let the content tell."
        )
    for blob in open_blobs(source, lambda head: sniff(head) is not None, limits):
        name = format or sniff(blob.head) or ("csv" if options.columns else "")
        yield _read_part(blob, name, options, refused)


def _read_part(blob: Blob, name: str, options: ReadOptions, refused: Collection[str]) -> FilePart:
    """Return a part with its wafers or with its error, which no name here keeps (see `read`)."""
    try:
        blob.check_found()
        if not name:
            raise _unknown(blob)
        if name in refused:
            raise FormatError(
                f"Expected a format that is read here, got {blob.name} ({READERS[name].about})."
                " Convert it first: waferscope convert."
            )
        return FilePart(blob.name, name, _read_blob(blob, READERS[name], options), None)
    except FormatError as failure:
        return FilePart(blob.name, name, [], failure, blob.lost)


def _read_blob(blob: Blob, reader: Reader, options: ReadOptions) -> list[WaferMap]:
    """Read one blob; a map that the domain refuses is the file's fault."""
    try:
        return reader.read(blob, options)
    except WaferError as error:
        raise FormatError(
            f"Expected wafers in {blob.name} ({reader.name}), got one that cannot be. {error}"
        ) from error


def _unknown(blob: Blob) -> FormatError:
    start = blob.head[:16]
    got = f"{blob.name} starting with {start!r}" if start else f"{blob.name}, which is empty"
    return FormatError(
        f"Expected one of the formats {', '.join(READERS)}, got {got}. "
        "Name its format, or convert it to one of these."
    )


def write(
    items: Iterable[WaferMap] | Iterable[Prediction] | WaferMap | Prediction,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    options: WriteOptions = _PLAIN,
) -> list[Path]:
    """Write wafers or predictions to a file and return what was written.

    ``format`` is the first part of a key of WRITERS; without it the suffix tells (``.gz``,
    ``.bz2`` or ``.xz`` behind it packs the file). Pictures of several items go into a folder of
    that path, one file each. ``options`` says what a format needs beyond the items: the bins for
    the classes of predictions in E142, G85 and SINF. A file appears whole or not at all. Raises
    FormatError for what a format cannot hold, InputError for anything but wafers or predictions.
    """
    target = Path(path)
    plain, packing = _unpacked(target)
    many = iter(items) if isinstance(items, Iterable) else iter([items])
    first = next(many, None)
    takes = None if first is None else _kind(first)
    writer = _writer(plain, format, takes)
    whole = many if first is None else _alike(chain([first], many), writer.takes)
    if writer.join is None:
        return _write_each(whole, writer, plain)
    data = writer.join([writer.row_of(item, options) for item in whole])
    write_whole(target, pack(data, packing) if packing else data)
    return [target]


def writer_for(
    path: str | os.PathLike[str], format: str | None = None, takes: Takes = "wafers"
) -> Writer:
    """Return the row of WRITERS that `write` would take; raise FormatError where there is none.

    >>> writer_for("lot.stdf.gz").name
    'stdf'
    """
    return _writer(_unpacked(Path(path))[0], format, takes)


def _unpacked(path: Path) -> tuple[Path, str]:
    """Return the path without the suffix of a packing, and that packing or ""."""
    packing = path.suffix.lower().removeprefix(".")
    return (path.with_suffix(""), packing) if packing in ("gz", "bz2", "xz") else (path, "")


def _alike(items: Iterable[Any], takes: Takes) -> Iterator[Any]:
    for item in items:
        if _kind(item) != takes:
            raise InputError(
                "Expected wafers or predictions, got both. Write them into files of their own."
            )
        yield item


def _kind(item: object) -> Takes:
    if isinstance(item, WaferMap):
        return "wafers"
    from waferscope.domain.prediction import Prediction  # it loads scipy, which reading never needs

    if isinstance(item, Prediction):
        return "predictions"
    raise InputError(
        f"Expected wafers or predictions, got {type(item).__name__}. "
        "Pass a WaferMap, a Prediction, or many of one kind."
    )


def _writer(path: Path, format: str | None, takes: Takes | None) -> Writer:
    """Return the row that a format or a suffix names for items of this kind."""
    fitting = [row for row in _WRITERS if takes in (None, row.takes)]
    # The longest suffix counts, whatever it is for: wafers are no a.coco.json, though a .json.
    length = max(_suffix_length(path, row) for row in _WRITERS)
    if format is not None:
        chosen = [row for row in fitting if row.name == format]
    else:
        chosen = [row for row in fitting if length and _suffix_length(path, row) == length]
    if not chosen:
        names = ", ".join(dict.fromkeys(row.name for row in fitting))
        suffix = path.name[-length:] if length else path.suffix or path.name
        other = "predictions" if takes == "wafers" else "wafers"
        why = f", which is for {other} alone" if length and format is None else ""
        raise FormatError(
            f"Expected a format for {takes or 'wafers or predictions'} ({names}), got "
            f"{format or suffix!r}{why}. Name one of these, or use its suffix."
        )
    return chosen[0]


def _suffix_length(path: Path, row: Writer) -> int:
    name = path.name.lower()
    return max((len(end) for end in row.extensions if name.endswith(end)), default=0)


def _write_each(items: Iterator[Any], writer: Writer, path: Path) -> list[Path]:
    """Write one file at the path, or one per item into a folder there."""
    extension = writer.extensions[0]
    first, second = next(items, None), next(items, None)
    if first is None:
        raise FormatError(f"Expected something to write into {path}, got nothing. Give an item.")
    named = path.name.lower().endswith(extension)
    if second is None and named:
        write_whole(path, writer.row(first))
        return [path]
    folder = WaferFolder(
        path.with_name(path.name[: -len(extension)] or "wafers") if named else path
    )
    every = chain([first], [] if second is None else [second], items)
    return [folder.add(name_of(item), extension, writer.row(item)) for item in every]
