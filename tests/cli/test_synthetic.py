"""Files of synthetic wafers: the masks come back as they were."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from waferscope.cli.synthetic import write_synthetic
from waferscope.errors import InputError
from waferscope.io import read
from waferscope.synth import SynthWafer, generate

NAMES = ("edge", "center", "ring", "scratch", "particle", "lithography", "etching", "random")


@pytest.fixture(scope="module")
def wafers() -> list[SynthWafer]:
    return list(generate(3, 4))


def unpack(run: bytes, shape: tuple[int, ...]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(run, np.uint8), count=int(np.prod(shape)))
    return bits.reshape(shape).astype(bool)


def test_npz(wafers: list[SynthWafer], tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    write_synthetic(wafers, path, prefix="s", class_names=NAMES)
    arrays = np.load(path, allow_pickle=False)
    assert tuple(arrays["class_names"]) == NAMES
    ends = np.concatenate([[0], np.cumsum(arrays["mask_bytes"])])
    for wafer, (start, end) in zip(wafers, pairwise(ends), strict=True):
        shape = (8, *wafer.dies.shape)
        for name in ("masks", "zones"):
            found = unpack(arrays[name][start:end].tobytes(), shape)
            assert np.array_equal(found, getattr(wafer, name))


def test_parquet(wafers: list[SynthWafer], tmp_path: Path) -> None:
    path = tmp_path / "w.parquet"
    write_synthetic(wafers, path, prefix="s", class_names=NAMES)
    table = pq.read_table(path)
    assert table.schema.metadata[b"class_names"].decode().split("|") == list(NAMES)
    for wafer, row in zip(wafers, table.to_pylist(), strict=True):
        found = unpack(row["masks"], (8, *wafer.dies.shape))
        assert np.array_equal(found, wafer.masks)
        assert row["classes"] == list(wafer.classes)


@pytest.mark.parametrize("name", ["w.npz", "w.parquet"])
def test_the_wafers_are_read_by_the_ordinary_readers(
    wafers: list[SynthWafer], tmp_path: Path, name: str
) -> None:
    write_synthetic(wafers, tmp_path / name, prefix="s", class_names=NAMES)
    for index, (made, found) in enumerate(zip(wafers, read(tmp_path / name), strict=True)):
        assert found.wafer_id == f"s-{index}"
        assert np.array_equal(found.dies, made.dies)
        assert found.patterns == made.patterns


def test_other_suffixes_are_refused(wafers: list[SynthWafer], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.npz or \.parquet"):
        write_synthetic(wafers, tmp_path / "w.csv", prefix="s", class_names=NAMES)
