"""What a KLARF file of any version holds, as byte ranges: nothing is copied out of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from waferscope.errors import FormatError

MAX_WAFERS: Final = 1000
MAX_COLUMNS: Final = 500
Fields = dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class KlarfFile:
    """The bytes of a file, kept once for all its wafers so that it can be given back."""

    data: bytes = field(repr=False)


@dataclass(slots=True)
class Table:
    """Rows of items between two bytes of the file.

    ``ends`` tells that each row ends with a semicolon (1.8). ``cut`` says that the file breaks off
    inside. ``declared`` is how many rows the file says there are (None: not said).
    """

    columns: tuple[str, ...]
    start: int
    end: int
    ends: bool = False
    cut: bool = False
    declared: float | None = None

    def check(self, rows: int, name: str, notes: list[str]) -> None:
        """Note a number of rows that is not the one declared."""
        if self.declared is not None and self.declared != rows and not self.cut:
            notes.append(f"the {name} counts {self.declared:,.0f} rows and holds {rows:,}")


@dataclass(slots=True)
class WaferRecord:
    """One wafer: its fields by name (small letters, those of lot and file included) and tables.

    ``plans`` list the inspected dies, ``removed`` dies taken out of them, ``defects`` the defects,
    ``summaries`` what the tool counted.
    """

    fields: Fields = field(default_factory=dict)
    defects: list[Table] = field(default_factory=list)
    plans: list[Table] = field(default_factory=list)
    removed: list[Table] = field(default_factory=list)
    summaries: list[Table] = field(default_factory=list)

    @property
    def tables(self) -> int:
        """How much there is beside the name: lists of dies or defects."""
        return len(self.defects) + len(self.plans)


@dataclass(slots=True)
class Records:
    """A file: its version, how many of its units of length make a mm, its wafers.

    ``damage`` says where and why it breaks off ("" for a whole file).
    """

    version: str
    per_mm: float
    wafers: list[WaferRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damage: str = ""

    def add_wafer(self, fields: Fields) -> WaferRecord:
        """Add a wafer with these fields; raise FormatError when there are too many."""
        if len(self.wafers) >= MAX_WAFERS:
            raise FormatError(
                f"Expected at most {MAX_WAFERS:,} wafers in a KLARF file, got more. "
                "Check that it is one."
            )
        self.wafers.append(WaferRecord(fields))
        return self.wafers[-1]


def line_of(data: bytes, place: int) -> int:
    """Return the number of the line that holds a byte, from 1 on."""
    return data.count(b"\n", 0, place) + 1
