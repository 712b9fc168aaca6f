"""``waferscope data import``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Run
from tests.io.lswmd.pickles import frame_bytes


@pytest.fixture
def frame(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Twenty wafers in ten lots, two of them the same map, two of them unlabelled."""
    maps = [rng.integers(0, 3, (6, 5), dtype=np.uint8) for _ in range(20)]
    maps[7] = np.rot90(maps[3])
    labels: list[str | None] = ["Loc" if n % 2 else "none" for n in range(20)]
    labels[18:] = [None, None]
    path = tmp_path / "LSWMD.pkl"
    path.write_bytes(frame_bytes(maps, labels, ["Training"] * 20))
    return path


def test_wm811k_is_split_by_lots_and_what_went_is_said(
    run: Run, frame: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "set"
    done = run("data", "import", "wm811k", frame, "--output", folder, "--test", 0.2)
    assert done.code == 0, done.err
    assert "read: 20 wafers, 10 lots" in done.out
    assert "left out: 2 without a label" in done.out
    assert "left out: 1 the same map as another" in done.out
    assert done.last_line == str(folder / "test.parquet")
    parts = {p.stem: pq.read_table(p).to_pydict() for p in folder.iterdir()}
    assert set(parts) == {"train", "val", "test"}
    groups = [set(part["lot_group"]) for part in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert sum(len(part["wafer_id"]) for part in parts.values()) == 17
    assert set(parts["train"]["official_split"]) == {"training"}


def test_unlabelled_wafers_get_a_file_on_request(run: Run, frame: Path, tmp_path: Path) -> None:
    run("data", "import", "wm811k", frame, "-o", tmp_path / "set", "--unlabelled")
    table = pq.read_table(tmp_path / "set" / "unlabelled.parquet").to_pydict()
    assert table["patterns"] == [None, None]


def test_the_same_seed_gives_the_same_files(run: Run, frame: Path, tmp_path: Path) -> None:
    for name in "ab":
        run("data", "import", "wm811k", frame, "-o", tmp_path / name, "--seed", 3)
    one, two = ((tmp_path / name / "val.parquet").read_bytes() for name in "ab")
    assert one == two


def test_mixedwm38_keeps_its_labels_and_says_stray_values(
    run: Run, tmp_path: Path, rng: np.random.Generator
) -> None:
    maps = rng.integers(0, 3, (12, 9, 9))
    maps[2, 4, 4] = 3
    labels = np.zeros((12, 8), dtype=int)
    labels[::2, [0, 6]] = 1
    np.savez_compressed(tmp_path / "m.npz", maps, labels)
    done = run("data", "import", "mixedwm38", tmp_path / "m.npz", "-o", tmp_path / "set")
    assert done.code == 0, done.err
    assert "note: dies of the unexplained value 3 read as fails (1 wafers)" in done.out
    table = pq.read_table(tmp_path / "set" / "train.parquet").to_pydict()
    assert "lot_group" not in table
    assert {tuple(found) for found in table["patterns"]} == {(), ("Center", "Scratch")}


def test_what_is_no_such_set_is_refused(run: Run, frame: Path, tmp_path: Path) -> None:
    assert run("data", "import", "mixedwm38", frame, "-o", tmp_path / "x").code == 1
    assert run("data", "import", "cifar", frame, "-o", tmp_path / "x").code == 2
    assert run("data", "import", "wm811k", frame, "-o", tmp_path / "x", "--val", 2).code == 1
    empty = tmp_path / "empty.pkl"
    empty.write_bytes(frame_bytes([np.ones((2, 2), np.uint8)], [None], [None]))
    done = run("data", "import", "wm811k", empty, "-o", tmp_path / "x")
    assert "labelled wafers" in done.err
    assert not (tmp_path / "x").exists()
