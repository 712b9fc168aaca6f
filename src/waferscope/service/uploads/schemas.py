"""What `uploads` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from waferscope.io.formats import ReadOptions
from waferscope.service.schema import Answer, Question
from waferscope.service.strangers import WELCOME
from waferscope.service.uploads.draft import Fill

LARGEST_BIN: Final = 65_535
Word = Annotated[str, Field(max_length=200)]
Number = Annotated[int, Field(ge=0, le=LARGEST_BIN)]


def _role_and_name(text: str) -> str:
    role, mark, name = text.partition("=")
    if not (role and mark and name):
        raise ValueError("expected a role, =, and the name of a column, such as x=DIE_X")
    return text


def _welcome(name: str) -> str:
    if name not in WELCOME:
        raise ValueError(f"expected one of {', '.join(WELCOME)}")
    return name


Format = Annotated[
    str, AfterValidator(_welcome), Field(json_schema_extra={"enum": sorted(WELCOME)})
]
Column = Annotated[str, AfterValidator(_role_and_name), Field(max_length=200)]


class UploadParameters(Question):
    """How to take a file in; each is a parameter of the query."""

    file_name: Word = Field(default="", description="name of the file, where the body is raw")
    predict: bool = Field(default=True, description="predict the wafers as soon as a worker can")
    format: Format | None = Field(default=None, description="else the content tells")
    strict: bool = Field(
        default=False, description="refuse the file if anything in it is damaged or unknown"
    )
    retests: Literal["last", "first", "worst"] = Field(
        default="last", description="which result of a die tested more than once counts"
    )
    columns: list[Column] = Field(
        default=[], max_length=20, description="`role=name` of a table's column; see the formats"
    )
    pass_bins: list[Number] = Field(default=[1], max_length=1000, description="bins that pass")
    klarf_classes: list[Number] | None = Field(
        default=None, max_length=1000, description="CLASSNUMBERs that make a die fail; else all"
    )
    min_defect_um: float = Field(
        default=0, ge=0, le=1e6, description="smaller KLARF defects do not make a die fail"
    )
    lot: Word = Field(default="", description="lot of the wafers whose file does not say")
    product: Word = Field(default="", description="product, likewise")
    step: Word = Field(default="", description="step, likewise")
    tester: Word = Field(default="", description="tester, likewise")

    @property
    def options(self) -> ReadOptions:
        """How the file is read."""
        pairs = (text.partition("=") for text in self.columns)
        classes = self.klarf_classes
        return ReadOptions(
            retests=self.retests,
            strict=self.strict,
            columns={role: name for role, _, name in pairs},
            pass_bins=tuple(self.pass_bins),
            klarf_classes=None if classes is None else tuple(classes),
            min_defect_um=self.min_defect_um,
        )

    @property
    def fill(self) -> Fill:
        """What is said of wafers whose file does not say."""
        return Fill(self.lot, self.product, self.step, self.tester)


class FailureShown(Answer):
    """A file in an archive that could not be read, and why."""

    name: str
    detail: str


class UploadShown(Answer):
    """A file that arrived, and what became of it."""

    id: str
    user_id: str
    file_name: str
    format: str = Field(description="that of the wafers; several are joined by `+`")
    size: int = Field(description="bytes")
    sha256: str
    wafers_new: int
    wafers_known: int = Field(description="wafers that were here before, in this file or another")
    predicts: bool
    batch_id: str | None = Field(description="the job that predicts its wafers, if any")
    failures: list[FailureShown] = Field(description="what of an archive could not be read")
    notes: list[str] = Field(description="what was guessed, dropped or found damaged")
    created_at: datetime


class WaferTaken(Answer):
    """One wafer of an upload, in its place."""

    position: int
    id: str
    name: str
    lot: str
    slot: int | None
    known: bool = Field(description="whether it was here before this file came")


class UploadMade(UploadShown):
    """What became of a file that was just sent, with all of its wafers in their order."""

    repeated: bool = Field(description="the same file was taken in before; this is that upload")
    wafers: list[WaferTaken]
