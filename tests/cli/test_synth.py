"""``waferscope synth``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.hand_made import disc
from waferscope.cli.synth import TRIES, _build_whole, parse_shape
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError
from waferscope.io import read, write
from waferscope.synth import build_wafer

MIXED = ("edge", "scratch", "ring", "center")


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
    assert np.load(path)["classes"].tolist() == ["ring|scratch"] * 3


def test_wafers_are_drawn_until_they_have_every_class(run: Run, tmp_path: Path) -> None:
    words = ("synth", "-n", 20, "--classes", ",".join(MIXED), "--shape", "27x27")
    for name in "ab":
        done = run(*words, "-o", tmp_path / f"{name}.npz")
        assert done.code == 0
        assert "warning" not in done.err
    one, two = (np.load(tmp_path / f"{name}.npz") for name in "ab")
    assert {*one["classes"].tolist()} == {"edge|center|ring|scratch"}
    assert all(np.array_equal(one[key], two[key]) for key in one.files)


def test_a_wafer_that_had_every_class_is_still_the_same() -> None:
    whole = 0
    for index in range(20):
        first = build_wafer(np.random.default_rng((0, index)), shape=(27, 27), classes=MIXED)
        now = _build_whole((0, index), MIXED, (27, 27))
        assert {*now.classes} == {*MIXED}
        if len(first.classes) == len(MIXED):
            whole += 1
            assert np.array_equal(first.dies, now.dies)
            assert np.array_equal(first.zones, now.zones)
    assert 0 < whole < 20


def test_classes_without_room_are_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TRIES == 50
    monkeypatch.setattr("waferscope.cli.synth.TRIES", 3)
    path = tmp_path / "w.npz"
    named = ",".join((*MIXED, "etching", "random", "particle", "lithography", "ring"))
    done = run("synth", "-n", 2, "--classes", named, "--shape", "8x8", "-o", path)
    assert done.code == 0
    assert "warning: 2 of 2 wafers lack a class that was asked for" in done.err
    assert "Ask for fewer classes or a larger grid." in done.err
    made = np.load(path)["classes"].tolist()
    for index, classes in enumerate(made):
        draws = [
            build_wafer(np.random.default_rng(seed), shape=(8, 8), classes=named.split(","))
            for seed in ((0, index), (0, index, 1), (0, index, 2))
        ]
        assert len(classes.split("|")) == max(len(draw.classes) for draw in draws)


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


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two wafers with one label, one of a label too many, and one labelled as free."""
    plain = disc(31)
    middle, rim = plain.copy(), plain.copy()
    middle[12:19, 12:19] = 2
    rim[(disc(31) > 0) & (np.pad(disc(27), 2) == 0)] = 2
    made = [(middle, ("Center",)), (rim, ("Edge-Ring",)), (rim, ("Loc", "Center")), (plain, ())]
    wafers = [WaferMap(d, wafer_id=f"W{n}", patterns=p) for n, (d, p) in enumerate(made)]
    return write(wafers, tmp_path / "real.parquet")[0]


def test_real_wafers_are_composed(run: Run, labelled: Path, tmp_path: Path) -> None:
    output, sheet = tmp_path / "mixed.npz", tmp_path / "sheet.png"
    done = run("synth", "--compose", labelled, "-n", 12, "-o", output, "--sheet", sheet)
    assert done.code == 0
    arrays = np.load(output)
    assert {"center", "edge", "center|edge", "edge|center"} >= {*arrays["classes"].tolist()}
    assert any("|" in classes for classes in arrays["classes"])
    assert arrays["wafer_id"][0] == "composed-0-0"
    assert {*arrays["rows"].tolist()} == {31}
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"


def test_what_cannot_be_composed_is_refused(run: Run, labelled: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    words = ("synth", "--compose", labelled, "--sheet", sheet)
    assert "--classes or --compose" in run(*words, "--classes", "ring").err
    assert "of this grid, got grids 31x31" in run(*words, "--shape", "9x9").err
    plain = write([WaferMap(disc(31), wafer_id="W")], tmp_path / "plain.parquet")[0]
    assert "one label each" in run("synth", "--compose", plain, "--sheet", sheet).err
    assert not sheet.exists()


def test_shapes() -> None:
    assert parse_shape(None) is None
    assert parse_shape(" 30x40 ") == (30, 40)
    with pytest.raises(InputError):
        parse_shape("30")
