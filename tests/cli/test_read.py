"""``waferscope read``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.cli.conftest import Run
from waferscope.cli.read import count_bins, describe
from waferscope.domain.wafermap import Bins, Source, WaferMap


def test_table_map_and_totals(run: Run, lot_file: Path) -> None:
    done = run("read", lot_file, "--maps", 1)
    assert done.code == 0
    assert "edge-0" in done.out
    assert "21x21" in done.out
    assert "3 wafers" in done.out
    assert done.out.count("· pass  # fail") == 1
    assert "##" in done.out


def test_no_maps(run: Run, lot_file: Path) -> None:
    assert "##" not in run("read", lot_file, "--maps", 0).out


def test_json_is_one_object_a_line(run: Run, lot_file: Path) -> None:
    rows = [json.loads(line) for line in run("read", lot_file, "--json").out.splitlines()]
    assert [row["wafer_id"] for row in rows] == ["edge-0", "particle-1", "clean-2"]
    assert rows[2]["yield"] == 1.0
    assert rows[1]["fails"] == 25
    assert rows[0]["lot_id"] == "L1"


def test_a_bad_file_is_skipped_with_code_3(run: Run, lot_file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.stdf"
    bad.write_bytes(b"nonsense")
    done = run("read", bad, lot_file)
    assert done.code == 3
    assert "skipped" in done.err
    assert "edge-0" in done.out
    assert run("read", bad, lot_file, "--strict").code == 1


def test_bins_are_counted_on_dies_only() -> None:
    dies = np.array([[1, 2, 0], [2, 1, 1]])
    hard = np.array([[1, 5, 9], [5, 1, 2]])
    bins = Bins(hard=hard, hard_names={5: "leak"})
    assert count_bins(WaferMap(dies, bins=bins)) == [(1, "", 2), (5, "leak", 2), (2, "", 1)]
    assert count_bins(WaferMap(dies, bins=Bins(soft=hard)))[0] == (1, "", 2)
    assert count_bins(WaferMap(dies)) == []
    assert count_bins(WaferMap(dies, bins=Bins())) == []


def test_a_description_is_plain_and_complete() -> None:
    wafer = WaferMap(
        np.zeros((2, 2), dtype=np.uint8),
        wafer_id="W",
        tested_at=datetime(2026, 1, 2, tzinfo=UTC),
        patterns=("Loc",),
        source=Source("stdf", "a.stdf"),
        notes=("n",),
    )
    plain = json.loads(json.dumps(describe(wafer)))
    assert plain["yield"] is None
    assert plain["tested_at"].startswith("2026-01-02")
    assert plain["source"] == {"format": "stdf", "name": "a.stdf"}
    assert plain["patterns"] == ["Loc"]
    assert plain["notes"] == ["n"]


def test_columns_and_passing_bins_can_be_named(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "dies.csv"
    table.write_text("A,B,HB\n1,1,7\n2,1,9\n2,1,7\n")
    words = ("--map", "x=A", "--map", "y=B", "--map", "bin=HB", "--pass-bins", "7", "--json")
    row = json.loads(run("read", table, *words, "--retests", "first").out)
    assert (row["dies"], row["fails"]) == (2, 1)
    assert json.loads(run("read", table, *words, "--retests", "worst").out)["fails"] == 1
    assert json.loads(run("read", table, *words).out)["fails"] == 0
    assert run("read", table, "--from", "stdf").code == 3
    assert run("read", table, "--retests", "best").code == 2


def test_an_unknown_format_is_said_once(run: Run, lot_file: Path) -> None:
    done = run("read", lot_file, lot_file.parent, "--from", "foo")
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("got 'foo'") == 1
    assert "Expected one of the formats stdf, " in done.err


def test_guesses_are_shown(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "dies.csv"
    table.write_text("x;y;bin\n1;1;1\n2;1;9\n")
    assert "note: die list parted by semicolons" in run("read", table).out
