"""``refit``: a checkpoint in, a checkpoint out, named last."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.cli.conftest import Run
from tests.ml.small import build_net, write_checkpoint, write_data
from waferscope.ml.train import load_network


def test_the_new_checkpoint_is_named_last(run: Run, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, build_net())
    data = write_data(tmp_path / "data", np.random.default_rng(0))
    output = tmp_path / "refit"
    done = run("refit", checkpoint, "--data", data, "-o", output, "--steps", "2", "--seed", "7")
    assert done.code == 0
    named = Path("".join(done.out.split()))
    assert named == output / "last.ckpt"
    about = load_network(named)[1]
    assert (about["recipe"], about["steps"], about["seed"]) == ("refit", 2, 7)


def test_data_that_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, build_net())
    done = run("refit", checkpoint, "--data", tmp_path, "-o", tmp_path / "refit")
    assert done.code == 1
    assert "Point the recipe at the folder" in done.err
