"""``waferscope predict``: what is printed, written, skipped and refused."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Run, WriteNpz
from tests.hand_made import disc
from waferscope.cli import main
from waferscope.cli.outputs import FORMATS
from waferscope.domain.wafermap import WaferMap
from waferscope.io import read, write

pytestmark = pytest.mark.usefixtures("use_tiny_model")


WAFERS = ("edge-0", "particle-1", "clean-2")


def table(folder: Path) -> list[dict[str, str]]:
    text = (folder / "predictions.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def test_table_on_screen_csv_and_report(run: Run, lot_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = run("predict", lot_file, "--output", output)
    assert done.code == 0
    assert done.last_line == str(output / "report.html")
    assert "edge-0" in done.out
    assert "severity" in done.out
    assert sorted(p.name for p in output.iterdir()) == ["predictions.csv", "report.html"]
    assert [row["wafer_id"] for row in table(output)] == ["edge-0", "particle-1", "clean-2"]
    assert int(table(output)[0]["edge_dies"]) > 0
    assert table(output)[2]["severity"] in {"0", "0.0"}


def test_every_format_is_written(run: Run, lot_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    bins = ("--bins", "edge=21,particle=22", "--neighbour-bin", 99, "--neighbour-radius", 2)
    done = run("predict", lot_file, "-o", output, "-f", ",".join(FORMATS), *bins)
    assert done.code == 0
    names = {p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file()}
    assert names == {
        "predictions.csv",
        "predictions.json",
        "predictions.parquet",
        "predictions.coco.json",
        "predictions.polygons.coco.json",
        "report.html",
        *(f"overlays/L1_{name}.png" for name in WAFERS),
        *(f"masks/L1_{name}.masks.png" for name in WAFERS),
        *(f"klarf/L1_{name}.klarf" for name in WAFERS),
        *(f"e142/L1_{name}.e142.xml" for name in WAFERS),
        *(f"g85/L1_{name}.g85.xml" for name in WAFERS),
        *(f"sinf/L1_{name}.sinf" for name in WAFERS),
    }
    (inked,) = read(output / "e142" / "L1_particle-1.e142.xml")
    assert inked.bins is not None
    assert inked.bins.hard is not None
    assert {*inked.bins.hard_names.values()} >= {"edge", "particle"}
    assert {22, 99} <= {*inked.bins.hard.ravel().tolist()}
    records = json.loads((output / "predictions.json").read_text(encoding="utf-8"))
    assert [r["wafer"]["wafer_id"] for r in records] == ["edge-0", "particle-1", "clean-2"]


def test_maps_for_an_inker_need_bins(run: Run, lot_file: Path, tmp_path: Path) -> None:
    done = run("predict", lot_file, "-o", tmp_path / "out", "-f", "e142")
    assert done.code == 1
    assert "--bins scratch=21" in done.err
    assert not (tmp_path / "out").exists()
    wrong = run("predict", lot_file, "-o", tmp_path / "out", "-f", "e142", "--bins", "stain=3")
    assert wrong.code == 1
    assert "got stain" in wrong.err


def test_files_are_read_as_told(run: Run, tmp_path: Path) -> None:
    """Columns, passing bins and retests: die (0, 0) failed first, then passed with bin 7."""
    path = tmp_path / "dies.txt"
    path.write_text("Q1;Q2;Q3\n0;0;9\n1;0;7\n0;1;7\n0;0;7\n")
    columns = ("--map", "x=Q1", "--map", "y=Q2", "--map", "bin=Q3", "--pass-bins", "7")
    told = ("--from", "csv", *columns)
    assert run("predict", path, "-o", tmp_path / "a", *told).code == 0
    assert table(tmp_path / "a")[0]["fails"] == "0"
    assert run("predict", path, "-o", tmp_path / "b", *told, "--retests", "worst").code == 0
    assert table(tmp_path / "b")[0]["fails"] == "1"


def test_what_a_format_cannot_hold_is_said_with_code_3(
    run: Run, tmp_path: Path, write_npz: WriteNpz
) -> None:
    path = write_npz(tmp_path / "q.npz", "edge", "clean", names=['a"b', "W2"])
    done = run("predict", path, "-o", tmp_path / "out", "-f", "csv,klarf")
    assert done.code == 3
    assert "not written" in done.err
    assert [p.name for p in (tmp_path / "out" / "klarf").iterdir()] == ["L1_W2.klarf"]
    assert len(table(tmp_path / "out")) == 2


def test_without_a_report_the_folder_comes_last(run: Run, lot_file: Path, tmp_path: Path) -> None:
    done = run("predict", lot_file, "-o", tmp_path / "out", "-f", "csv")
    assert done.last_line == str(tmp_path / "out")


def test_packed_files_folders_and_globs(run: Run, tmp_path: Path, write_npz: WriteNpz) -> None:
    plain = write_npz(tmp_path / "plain.npz", "edge").read_bytes()
    lots = tmp_path / "lots"
    (lots / "deep").mkdir(parents=True)
    (lots / "a.npz.gz").write_bytes(gzip.compress(plain))
    (lots / "b.npz.bz2").write_bytes(bz2.compress(plain))
    (lots / "deep" / "c.npz.xz").write_bytes(lzma.compress(plain))
    with zipfile.ZipFile(lots / "d.zip", "w") as archive:
        archive.writestr("one.npz", plain)
        archive.writestr("two.npz", plain)
    done = run("predict", lots, tmp_path / "pl*.npz", "-o", tmp_path / "out", "-f", "csv")
    assert done.code == 0
    assert len(table(tmp_path / "out")) == 6


def test_a_bad_file_is_skipped_with_code_3(run: Run, lot_file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.stdf"
    bad.write_bytes(b"not an STDF file")
    done = run("predict", bad, lot_file, "-o", tmp_path / "out")
    assert done.code == 3
    assert str(bad) in done.err
    assert "1 of 2 files were skipped" in " ".join(done.err.split())
    assert done.last_line == str(tmp_path / "out" / "report.html")
    assert len(table(tmp_path / "out")) == 3


def test_a_bad_file_in_a_zip_is_skipped_with_code_3(
    run: Run, lot_file: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "lot.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("broken.npz", lot_file.read_bytes()[:200])
        archive.writestr("readme.txt", "read me, please")
        archive.write(lot_file, "good.npz")
    done = run("predict", packed, "-o", tmp_path / "out", "-f", "csv")
    assert done.code == 3
    assert f"skipped {packed}:broken.npz: " in done.err
    assert f"skipped {packed}:readme.txt: " in done.err
    assert "2 of 3 files were skipped" in done.err
    assert [row["wafer_id"] for row in table(tmp_path / "out")] == [*WAFERS]


def test_notes_are_said_on_stderr(run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "whole.stdf"
    write(WaferMap(disc(9), wafer_id="W1"), whole)
    cut = tmp_path / "cut.stdf"
    cut.write_bytes(whole.read_bytes()[:-60])
    done = run("predict", cut, "-o", tmp_path / "out", "-f", "csv")
    assert done.code == 0
    assert "note: read to the last whole record (" in done.err
    assert "note:" not in done.out
    assert "note:" not in run("predict", whole, "-o", tmp_path / "out", "-f", "csv").err


def test_conflicts_are_marked(
    run: Run, tmp_path: Path, write_npz: WriteNpz, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A threshold of 0 marks every failing die, whatever the labels say."""
    path = write_npz(tmp_path / "lot.npz", "edge", "clean", "edge")
    told = ("predict", path, "-o", tmp_path / "out", "--threshold", 0.0)
    done = run(*told)
    assert [bool(row["conflicts"]) for row in table(tmp_path / "out")] == [True, False, True]
    assert "edge-0 ⚠" in done.out
    assert "clean-1 ⚠" not in done.out
    assert "2 wafers: masks and labels disagree (⚠), see the report" in done.out
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(sink := io.BytesIO(), encoding="ascii"))
    assert main([str(word) for word in (*told, "-f", "csv", "--limit", 2)]) == 0
    plain = sink.getvalue().decode("ascii")
    assert "edge-0 !" in plain
    assert "1 wafer: masks and labels disagree (!)\n" in plain


def test_strict_stops_and_leaves_no_half_results(run: Run, lot_file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.stdf"
    bad.write_bytes(b"not an STDF file")
    output = tmp_path / "out"
    assert run("predict", lot_file, bad, "-o", output, "--strict").code == 1
    assert [p for p in output.rglob("*") if p.is_file()] == []


def test_only_bad_files_is_an_error(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.stdf"
    bad.write_bytes(b"not an STDF file")
    done = run("predict", bad, "-o", tmp_path / "out")
    assert done.code == 1
    assert "at least one wafer" in done.err
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


def test_limit_and_threshold(run: Run, lot_file: Path, tmp_path: Path) -> None:
    run("predict", lot_file, "-o", tmp_path / "two", "--limit", 2)
    assert len(table(tmp_path / "two")) == 2
    run("predict", lot_file, "-o", tmp_path / "all", "--threshold", 0.0)
    assert int(table(tmp_path / "all")[1]["particle_dies"]) == 25


def test_more_wafers_than_rows(run: Run, tmp_path: Path, write_npz: WriteNpz) -> None:
    path = write_npz(tmp_path / "many.npz", *["clean"] * 30)
    done = run("predict", path, "-o", tmp_path / "out", "-f", "csv")
    assert "and 5 more" in done.out
    assert len(table(tmp_path / "out")) == 30


@pytest.mark.parametrize("formats", ["csv,docx", "", ","])
def test_unknown_formats_are_refused(
    run: Run, lot_file: Path, tmp_path: Path, formats: str
) -> None:
    done = run("predict", lot_file, "-o", tmp_path / "out", "-f", formats)
    assert done.code == 1
    assert ", ".join(FORMATS) in " ".join(done.err.split())
    assert not (tmp_path / "out").exists()


def test_hostile_names_stay_inside_the_folder(
    run: Run, tmp_path: Path, write_npz: WriteNpz
) -> None:
    names = ["../../evil", "a/b\\c", "<script>alert(1)</script>", "../../evil", "\x1b[2J=1+1"]
    path = write_npz(tmp_path / "h.npz", *["edge"] * 5, names=names, lot="..")
    output = tmp_path / "deep" / "out"
    done = run("predict", path, "-o", output, "-f", "csv,html,png")
    assert done.code == 0
    assert "\x1b" not in done.out
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and output not in p.parents]
    assert outside == [path]
    assert len(list((output / "overlays").iterdir())) == 5
    assert "<script>alert" not in (output / "report.html").read_text(encoding="utf-8")


def test_a_missing_model_is_said(run: Run, lot_file: Path, tmp_path: Path) -> None:
    done = run("predict", lot_file, "-o", tmp_path / "out", "--model", tmp_path / "no.onnx")
    assert done.code == 1
    assert "no.onnx" in done.err


def test_a_file_in_the_place_of_the_folder_is_said(
    run: Run, lot_file: Path, tmp_path: Path
) -> None:
    place = tmp_path / "taken"
    place.write_text("mine")
    done = run("predict", lot_file, "-o", place)
    assert done.code == 1
    assert "taken" in done.err
    assert place.read_text() == "mine"
