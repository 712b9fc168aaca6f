"""``average``: what it asks for, and where the checkpoint is."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.ml.small import build_net, write_checkpoint


def test_the_checkpoint_is_named_last(run: Run, tmp_path: Path) -> None:
    one = write_checkpoint(tmp_path, build_net(0))
    output = tmp_path / "mean"
    done = run("average", one, one, "--recipe", "smoke", "-o", output)
    assert done.code == 0
    assert done.out.splitlines()[-1].endswith("last.ckpt")
    assert (output / "last.ckpt").exists()


def test_one_model_is_no_average(run: Run, tmp_path: Path) -> None:
    done = run("average", write_checkpoint(tmp_path, build_net(0)), "--recipe", "smoke")
    assert done.code == 1
    assert "at least two networks" in done.err
