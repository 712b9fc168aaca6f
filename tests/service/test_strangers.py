"""Files of strangers: what cannot be read is named, and what is dangerous is not read at all."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.service.stored import make_wafer
from tests.service.uploads.files import archive, stdf_lot
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError, SizeError
from waferscope.io import READERS
from waferscope.io.columnar import parquet_bytes
from waferscope.io.columns import row_of
from waferscope.io.formats import ReadOptions
from waferscope.service.strangers import REFUSED, WELCOME, read_stranger


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def kept(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_wafers_formats_and_failures(tmp_path: Path) -> None:
    packed = archive(a_stdf=stdf_lot(2), b_csv=b"x,y,bin\n0,0,1\n1,0,2\n", c_bin=bytes(50))
    found = read_stranger(kept(tmp_path, "night.zip", packed), 10)
    assert len(found.wafers) == 3
    assert found.formats == ("stdf", "csv")
    assert [failure.name for failure in found.failures] == ["night.zip:c.bin"]


def test_strict_refuses_what_is_only_partly_sound(tmp_path: Path) -> None:
    path = kept(tmp_path, "night.zip", archive(a_stdf=stdf_lot(2), c_bin=bytes(50)))
    with pytest.raises(FormatError, match=r"c\.bin"):
        read_stranger(path, 10, None, ReadOptions(strict=True))


def test_nothing_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="at least one wafer"):
        read_stranger(kept(tmp_path, "empty.zip", archive()), 10)


def test_every_format_but_pickles_is_welcome() -> None:
    assert {*WELCOME} | REFUSED == set(READERS)
    assert not {*WELCOME} & REFUSED


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pickle_is_never_opened(tmp_path: Path, protocol: int, wrapped: bool) -> None:
    trap = tmp_path / "sprung"
    data = pickle.dumps(Trap(trap), protocol)
    if wrapped:
        data = gzip.compress(data)
    with pytest.raises(FormatError):
        read_stranger(kept(tmp_path, "LSWMD.pkl", data), 10)
    assert not trap.exists()


def test_a_pickle_in_an_array_is_never_opened(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    sink = io.BytesIO()
    np.savez(sink, dies=np.array([Trap(trap)], dtype=object), allow_pickle=True)
    trap.unlink(missing_ok=True)
    with pytest.raises(FormatError):
        read_stranger(kept(tmp_path, "w.npz", sink.getvalue()), 10)
    assert not trap.exists()


def test_a_zip_that_grows_is_refused(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for number in range(3):
            packed.writestr(f"{number}.csv", b"x,y,bin\n" + b"0" * (100 << 20))
    assert len(sink.getvalue()) < 1 << 20
    with pytest.raises(FormatError, match="times its size"):
        read_stranger(kept(tmp_path, "bomb.zip", sink.getvalue()), 10)


def test_entities_of_xml_are_not_expanded(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE Maps [<!ENTITY e0 "ha">{entities}]><MapData>&e9;</MapData>'
    for name in ("bomb.xml", "bomb.e142.xml"):
        with pytest.raises(FormatError):
            read_stranger(kept(tmp_path, name, text.encode()), 10)


def test_external_entities_are_not_fetched(tmp_path: Path) -> None:
    secret = kept(tmp_path, "secret.txt", b"kelp")
    text = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><MapData>&x;</MapData>'
    with pytest.raises(FormatError) as refused:
        read_stranger(kept(tmp_path, "map.xml", text.encode()), 10)
    assert "kelp" not in str(refused.value)


def test_too_many_wafers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SizeError, match="at most 2 wafers"):
        read_stranger(kept(tmp_path, "lot.stdf", stdf_lot(3)), 2)
    same = row_of(WaferMap(np.array([[1]]), wafer_id="W"))
    table = kept(tmp_path, "many.parquet", parquet_bytes([same] * 100_000))
    with pytest.raises(FormatError, match="at most 1,000 wafers"):
        read_stranger(table, 1000)


def test_a_named_format_counts(tmp_path: Path) -> None:
    data = parquet_bytes([row_of(make_wafer(1))])
    with pytest.raises(FormatError):
        read_stranger(kept(tmp_path, "w", data), 10, "stdf")
