"""The demo lot that is shipped: one product, some wafers clean; predicting it needs no torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scripts.build_demo_lot import MECHANISMS, SHAPE, WAFERS, build_slot, describe
from waferscope import WaferMap, read

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "src" / "waferscope" / "demo" / "demo_lot.stdf.gz"


@pytest.fixture(scope="module")
def lot() -> list[WaferMap]:
    return read(DEMO)


def test_it_is_one_lot_of_one_product(lot: list[WaferMap]) -> None:
    assert len(lot) == WAFERS == len({wafer.wafer_id for wafer in lot})
    assert {wafer.lot_id for wafer in lot} == {"DEMO01"}
    assert {wafer.shape for wafer in lot} == {SHAPE}
    assert all((wafer.dies > 0).tolist() == (lot[0].dies > 0).tolist() for wafer in lot)
    assert [wafer.die_width_mm for wafer in lot] == pytest.approx([7.7] * WAFERS, abs=0.01)


def test_its_wafers_are_tested_one_after_the_other(lot: list[WaferMap]) -> None:
    times = [wafer.tested_at for wafer in lot if wafer.tested_at is not None]
    assert len(times) == WAFERS
    assert times == sorted(times)


def test_clean_wafers_yield_more(lot: list[WaferMap]) -> None:
    clean = [one.wafer_yield for slot, one in enumerate(lot, start=1) if slot not in MECHANISMS]
    worst = min(one.wafer_yield for slot, one in enumerate(lot, start=1) if slot in MECHANISMS)
    assert min(clean) > 0.9
    assert worst < np.median(clean) - 0.3


def test_a_slot_is_drawn_the_same_twice() -> None:
    one, other = (describe(3, build_slot(3, None)) for _ in range(2))
    assert one == other


def test_predicting_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['lightning'] = None\n"
        "from waferscope.cli import main\n"
        f"sys.exit(main(['predict', {str(DEMO)!r}, '--output', {str(tmp_path)!r}]))"
    )
    command = [sys.executable, "-c", code]
    paths = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=paths)
    assert done.returncode == 0, done.stderr
    report = Path(done.stdout.strip().splitlines()[-1])
    assert report.suffix == ".html"
    assert report.is_file()
