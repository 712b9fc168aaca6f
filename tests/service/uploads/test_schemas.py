"""How a file is to be taken in, as a query says it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waferscope.io.formats import ReadOptions
from waferscope.service.uploads.draft import Fill
from waferscope.service.uploads.schemas import UploadParameters


def test_left_alone_a_file_is_read_as_the_library_reads_it() -> None:
    asked = UploadParameters()
    assert asked.options == ReadOptions()
    assert asked.fill == Fill()
    assert asked.predict


def test_every_option_reaches_the_reader() -> None:
    asked = UploadParameters(
        retests="worst",
        strict=True,
        columns=["x=DIE X", "bin=HB=1"],
        pass_bins=[1, 7],
        klarf_classes=[3],
        min_defect_um=0.5,
    )
    assert asked.options == ReadOptions(
        retests="worst",
        strict=True,
        columns={"x": "DIE X", "bin": "HB=1"},
        pass_bins=(1, 7),
        klarf_classes=(3,),
        min_defect_um=0.5,
    )


@pytest.mark.parametrize("column", ["x", "=X", "x="])
def test_a_column_needs_a_role_and_a_name(column: str) -> None:
    with pytest.raises(ValidationError, match="role"):
        UploadParameters(columns=[column])


def test_a_format_that_is_not_read_from_strangers_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected one of"):
        UploadParameters(format="lswmd")
