"""Wafer files, a small model, and the command line as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from tests.hand_made import disc
from tests.tiny_model import build_tiny_model
from waferscope.cli import main


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line of stdout."""
        return self.out.rstrip("\n").rsplit("\n", 1)[-1]


Run = Callable[..., Done]
WriteNpz = Callable[..., Path]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test the same terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "WAFERSCOPE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model file that keeps the whole contract."""
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def use_tiny_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the tiny model the default one."""
    monkeypatch.setenv("WAFERSCOPE_MODEL", str(tiny_model))
    return tiny_model


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line."""

    def run_words(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run_words


def patterned(kind: str) -> npt.NDArray[np.uint8]:
    """Return a wafer that is clean, or has a failing rim or a failing block inside."""
    dies = disc(21)
    if kind == "edge":
        inner = np.pad(disc(15), 3)
        dies[(dies > 0) & (inner == 0)] = 2
    elif kind == "particle":
        dies[5:10, 6:11] = 2
    return dies


@pytest.fixture
def write_npz() -> WriteNpz:
    """Return a function that writes wafers to an npz file, with numpy alone."""

    def write(path: Path, *kinds: str, names: list[str] | None = None, lot: str = "L1") -> Path:
        grids = [patterned(kind) for kind in kinds]
        ids = names or [f"{kind}-{index}" for index, kind in enumerate(kinds)]
        np.savez(
            path,
            wafer_id=np.array(ids),
            lot_id=np.array([lot] * len(grids)),
            rows=np.array([grid.shape[0] for grid in grids]),
            cols=np.array([grid.shape[1] for grid in grids]),
            dies=np.concatenate([grid.ravel() for grid in grids]),
        )
        return path

    return write


@pytest.fixture
def lot_file(tmp_path: Path, write_npz: WriteNpz) -> Path:
    """Return a file of three wafers: a failing rim, a cluster, and a clean one."""
    return write_npz(tmp_path / "lot.npz", "edge", "particle", "clean")
