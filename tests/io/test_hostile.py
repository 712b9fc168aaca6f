"""Every reader against broken files: one kind of error, little memory, little time.

The bounded run of a fuzzer over the same corpus is ``make fuzz``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.io.corpus import attempt, broken, files
from waferscope.errors import FormatError
from waferscope.io import READERS, read

ROOT = Path(__file__).resolve().parents[2]
COUNT = 60
Failures = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def failures() -> Failures:
    """What COUNT broken files of each reader brought to light, found by a process of its own."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.io.breaking", str(COUNT)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: Failures = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", READERS)
def test_broken_files_raise_format_errors_alone(name: str, failures: Failures) -> None:
    assert failures[name] == []


@pytest.mark.parametrize("name", READERS)
def test_every_reader_has_valid_files(name: str) -> None:
    """A new reader without a writer of its name gets a builder in `corpus.OTHERS`."""
    found = files(name)
    assert found
    assert all(read(data, name) for data in found)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 4096, b"\xff" * 4096, b"a" * 70_000])
def test_emptiness_and_monotony_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(FormatError):
        read(data, name)


def test_breaking_is_repeatable_and_breaks() -> None:
    first, second = ([broken(np.random.default_rng(s), b"0,1\n1,2\n", b"x" * 9)] for s in (1, 1))
    assert first == second
    rng = np.random.default_rng(0)
    assert len({broken(rng, b"0,1\n1,2\n", b"x" * 9) for _ in range(50)}) > 30


def test_a_failure_is_told_from_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempt(b"nonsense", "stdf") is None

    def fall(*args: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("waferscope.io.read", fall)
    assert attempt(b"nonsense", "stdf") == "KeyError: 'x'"
