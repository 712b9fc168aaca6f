"""What a row of the reader and writer tables is, and what a caller may ask of a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob

if TYPE_CHECKING:
    from waferscope.domain.inking import BinMapping

Retests = Literal["last", "first", "worst"]
Takes = Literal["wafers", "predictions"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: the same value goes to every reader, which uses what concerns it.

    ``retests`` says which result of a die that was tested more than once counts. ``strict``
    refuses a file that is cut short or damaged instead of reading its sound part. ``columns``
    maps a role (wafer, lot, x, y, row, col, bin, pass) to the name of a table's column;
    ``pass_bins`` are the bins that pass, for tables that carry bins alone. Of a KLARF file's
    defects those of ``klarf_classes`` (CLASSNUMBER; None: all) and of at least ``min_defect_um``
    make a die fail.
    """

    retests: Retests = "last"
    strict: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    pass_bins: tuple[int, ...] = (1,)
    klarf_classes: tuple[int, ...] | None = None
    min_defect_um: float = 0.0


class ReadChoices(TypedDict, total=False):
    """The fields of `ReadOptions` that `read` takes as keywords of the same name."""

    retests: Retests
    strict: bool
    pass_bins: tuple[int, ...]
    klarf_classes: tuple[int, ...] | None
    min_defect_um: float


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write: the same value goes to every writer that takes options.

    ``bins`` says which bins the classes of a prediction get where a format has nothing but bins
    (E142, G85, SINF), and which good dies are marked with them.
    """

    bins: BinMapping | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """One format that can be read: how it is told by its first bytes, and how it is read."""

    name: str
    about: str
    extensions: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[Blob, ReadOptions], list[WaferMap]]


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file, alone or out of an archive: its format ("": none known) and its wafers.

    ``error`` says why there are no wafers, ``damaged`` that nothing of it could be unpacked.
    """

    name: str
    format: str
    wafers: list[WaferMap]
    error: FormatError | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """One format that can be written, of wafers or of predictions.

    ``row`` turns one item into what the file needs of it (nothing else is kept, so a long stream
    of predictions stays small), ``join`` turns all rows into the file's bytes. A writer whose
    ``join`` is None gives one file per item, its ``row`` being the file's bytes. With ``options``
    the row is made of an item and `WriteOptions`.
    """

    name: str
    about: str
    extensions: tuple[str, ...]
    takes: Takes
    row: Callable[..., Any]
    join: Callable[[Sequence[Any]], bytes] | None
    options: bool = False

    def row_of(self, item: Any, options: WriteOptions) -> Any:
        """Return what the file needs of an item."""
        return self.row(item, options) if self.options else self.row(item)

    def data_of(self, rows: Sequence[Any]) -> bytes:
        """Return a file of some rows; of one where each item is a file of its own."""
        data: bytes = rows[0] if self.join is None else self.join(rows)
        return data
