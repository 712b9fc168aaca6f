"""Pickles, which run code when they are opened: nothing that is sent is ever opened as one."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.service.conftest import People

Pack = Callable[[bytes], bytes]


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def zipped(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("LSWMD.pkl", data)
    return sink.getvalue()


def array(data: bytes) -> bytes:
    """An object array as NumPy writes it: a header, then the pickle."""
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def arrays(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("dies.npy", array(data))
    return sink.getvalue()


WRAPPED: dict[str, Pack] = {
    "LSWMD.pkl": lambda data: data,
    "LSWMD.pkl.gz": gzip.compress,
    "LSWMD.pkl.bz2": bz2.compress,
    "lot.zip": zipped,
    "dies.npy": array,
    "dies.npz": arrays,
    "lot.stdf": lambda data: data,
    "map.json": lambda data: data,
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("path", ["/uploads", "/predict"])
def test_a_pickle_is_refused_and_springs_nothing(
    people: People, tmp_path: Path, name: str, path: str
) -> None:
    trap, client = tmp_path / "sprung", people("annotator")
    for protocol in (0, 2, 5):
        data = WRAPPED[name](pickle.dumps(Trap(trap), protocol))
        answer = client.post(path, files={"file": (name, data)})
        assert answer.status_code == 422, answer.text
        assert not trap.exists()


def test_the_trap_would_spring(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()
    trap.unlink()
    np.load(io.BytesIO(array(pickle.dumps(Trap(trap)))), allow_pickle=True)
    assert trap.exists()
