"""``waferscope synth``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from waferscope.cli.synth import parse_shape
from waferscope.errors import InputError
from waferscope.io import read


def test_wafers_and_sheet_are_written_and_named(run: Run, tmp_path: Path) -> None:
    output, sheet = tmp_path / "new" / "w.npz", tmp_path / "sheet.png"
    done = run("synth", "--count", 3, "--seed", 5, "--output", output, "--sheet", sheet)
    assert done.code == 0
    assert done.out.splitlines() == [str(sheet), str(output)]
    assert [w.wafer_id for w in read(output)] == ["synth-5-0", "synth-5-1", "synth-5-2"]
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"


def test_the_same_seed_gives_the_same_file(run: Run, tmp_path: Path) -> None:
    for name in "ab":
        run("synth", "-n", 2, "--shape", "20x24", "-o", tmp_path / f"{name}.npz")
    one, two = (np.load(tmp_path / f"{name}.npz") for name in "ab")
    assert all(np.array_equal(one[key], two[key]) for key in one.files)
    assert one["rows"].tolist() == [20, 20]
    assert one["cols"].tolist() == [24, 24]


def test_classes_are_those_asked_for(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    run("synth", "-n", 3, "--classes", "ring, scratch", "--shape", "48x48", "-o", path)
    found = {name for text in np.load(path)["classes"] for name in text.split("|") if name}
    assert found <= {"ring", "scratch"}
    assert found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--output or --sheet"),
        (["-o", "w.csv"], ".npz or .parquet"),
        (["-o", "w.npz", "--shape", "big"], "a shape like 64x64"),
        (["-o", "w.npz", "--classes", "rings"], "one of the classes"),
    ],
)
def test_what_cannot_be_made_is_refused(
    run: Run, words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("synth", "-n", 1, *words)
    assert done.code == 1
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


def test_shapes() -> None:
    assert parse_shape(None) is None
    assert parse_shape(" 30x40 ") == (30, 40)
    with pytest.raises(InputError):
        parse_shape("30")
