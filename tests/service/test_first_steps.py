"""The script of the first steps, as a newcomer runs it: against a first start, and wrongly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.service import servers
from tests.service.conftest import EMBEDDED, PASSWORD
from tests.service.jobs.conftest import program
from waferscope.service.settings import Settings

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "first_steps.py"
WAFERS = 25


def take_first_steps(
    folder: Path, port: int, *words: str, **passwords: str
) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder, without anything but the standard library."""
    return subprocess.run(
        [sys.executable, "-IS", SCRIPT, "--address", f"http://127.0.0.1:{port}", *words],
        env=os.environ | passwords,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def settings(settings: Settings, backend: str, tmp_path: Path) -> Settings:
    """Those of a first start: nothing is there yet, and the demo lot is loaded."""
    nothing = {"home": tmp_path / "home", "records_url": "", "blobs_url": ""}
    return settings.model_copy(update={"demo": True} | (nothing if backend == EMBEDDED else {}))


@pytest.fixture
def first_start(settings: Settings, tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A server with a worker beside it: its port, and the password that its start printed."""
    port = servers.free_port()
    printed = tmp_path / "printed"
    with printed.open("wb") as out, program(settings, "serve", "--port", str(port), out=out):
        servers.wait_for(lambda: servers.listens(port), "the server")
        (password,) = re.findall(r"one-time password.*: (\w+)\n", printed.read_text())
        yield port, password


def test_a_first_start_leads_to_results(first_start: tuple[int, str], tmp_path: Path) -> None:
    port, password = first_start
    done = take_first_steps(tmp_path, port, PASSWORD=password, NEW_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pyarrow.csv.read_csv(tmp_path / "out/results.csv").num_rows == WAFERS
    assert pyarrow.parquet.read_table(tmp_path / "out/results.parquet").num_rows == WAFERS
    assert f"batch: {WAFERS} wafers done, 0 failed" in done.stdout
    assert re.search(rf"\n  [\w-]+: [1-9]\d* of {WAFERS} wafers of DEMO01, limits 0", done.stdout)
    assert "\n  waferscope_jobs{" in done.stdout
    assert password not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr

    used = take_first_steps(tmp_path, port, PASSWORD=password)
    assert (used.returncode, used.stdout) == (1, "")
    assert used.stderr == "401 Unauthorized: The name or the password is not right.\n"

    late = take_first_steps(tmp_path, port, "--wait", "0", PASSWORD=PASSWORD)
    assert late.returncode == 1
    assert late.stderr.startswith("Expected a batch within 0 s, got one queued.")

    wrong = take_first_steps(tmp_path, port, str(SCRIPT), PASSWORD=PASSWORD)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("422 Unprocessable Entity: Expected one of the formats")


def test_where_nobody_answers_it_says_so(tmp_path: Path) -> None:
    done = take_first_steps(tmp_path, servers.free_port(), PASSWORD=PASSWORD)
    assert (done.returncode, done.stdout) == (1, "")
    assert "got none" in done.stderr
    assert "make run" in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = take_first_steps(tmp_path, servers.free_port(), "lot.stdf", PASSWORD=PASSWORD)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Expected a file of wafers, got lot.stdf, which is not there.\n"
