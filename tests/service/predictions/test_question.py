"""What a request to predict carries, told apart and bounded."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pytest
from fastapi.exceptions import RequestValidationError

from tests.service.stored import make_wafer
from waferscope.errors import FormatError, SizeError, WaferError
from waferscope.io import write
from waferscope.service.predictions.question import Given, parse, read_file
from waferscope.service.predictions.schemas import MOST_WAFERS


def test_ids_are_ids() -> None:
    assert parse(b'{"wafer_map_ids": ["waf_2", "waf_1"]}') == ["waf_2", "waf_1"]


def test_wafers_inline_are_wafers() -> None:
    body = json.dumps({"wafers": [{"dies": [[1, 2]]}, {"dies": ["21"]}]}).encode()
    given = parse(body)
    assert isinstance(given, Given)
    assert [wafer.dies.tolist() for wafer in given.wafers] == [[[1, 2]], [[2, 1]]]
    other = parse(body.replace(b"21", b"22"))
    assert isinstance(other, Given)
    assert given.digest != other.digest
    assert given == parse(body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"wafers": 7}', b"\xff"])
def test_what_is_no_question_is_refused_with_its_place(body: bytes) -> None:
    with pytest.raises(RequestValidationError) as refused:
        parse(body)
    assert all(one["loc"][0] == "body" for one in refused.value.errors())


def test_dies_that_cannot_be_are_refused() -> None:
    with pytest.raises(WaferError):
        parse(b'{"wafers": [{"dies": [[7]]}]}')


def test_a_file_is_read_and_known_by_content_and_name(tmp_path: Path) -> None:
    wafers = [make_wafer(seed, 9) for seed in range(3)]
    digests = set()
    for name in ("a.parquet", "b.parquet"):
        write(wafers, tmp_path / name)
        given = read_file(tmp_path / name)
        assert [wafer.dies.tolist() for wafer in given.wafers] == [
            wafer.dies.tolist() for wafer in wafers
        ]
        digests |= {given.digest, read_file(tmp_path / name).digest}
    assert len(digests) == 2


def test_a_file_of_too_many_wafers_is_for_a_batch(tmp_path: Path) -> None:
    write([make_wafer(seed, 5) for seed in range(MOST_WAFERS + 1)], tmp_path / "lot.parquet")
    with pytest.raises(SizeError, match="batch"):
        read_file(tmp_path / "lot.parquet")


def test_what_is_no_file_of_wafers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.stdf").write_bytes(b"\x80\x05cos\nsystem\n")
    with pytest.raises(FormatError):
        read_file(tmp_path / "a.stdf")


def test_a_pickle_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    for name in ("LSWMD.pkl", "lot.csv"):
        (tmp_path / name).write_bytes(pickle.dumps({"waferMap": [[1, 2]]}))
        with pytest.raises(FormatError):
            read_file(tmp_path / name)


def test_an_archive_is_predicted_whole_or_not_at_all(tmp_path: Path) -> None:
    write([make_wafer(1, 9)], tmp_path / "good.csv")
    with zipfile.ZipFile(tmp_path / "lot.zip", "w") as archive:
        archive.write(tmp_path / "good.csv", "good.csv")
    assert len(read_file(tmp_path / "lot.zip").wafers) == 1
    with zipfile.ZipFile(tmp_path / "lot.zip", "a") as archive:
        archive.writestr("bad.stdf", b"no wafer at all")
    with pytest.raises(FormatError, match=r"bad\.stdf"):
        read_file(tmp_path / "lot.zip")
