"""Runs: killed and resumed to the same weights, tracked, and never mixed up with another."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import TINY, short_run, write_data
from waferscope.errors import ConfigError, ModelError
from waferscope.ml.config import AdaptConfig, Bucket, Mix, SemiConfig, TrainConfig
from waferscope.ml.corpus import Corpus, open_corpus
from waferscope.ml.model import WaferNet
from waferscope.ml.recipes import build_recipe
from waferscope.ml.task import ABOUT
from waferscope.ml.train import (
    LAST,
    build_task,
    current_commit,
    load_network,
    open_corpora,
    train,
)
from waferscope.synth import SynthConfig

COMMIT = "c" * 40
STORE = "mlflow.db"
MEAN_STEM = "ema.module.encoder.conv1.weight"
ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from tests.ml.small import short_run
from waferscope.ml.train import train
train(short_run(), Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the run went through without a stop."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "1")
        patch.setattr("waferscope.ml.train.current_commit", lambda: COMMIT)
        threads = torch.get_num_threads()
        train(short_run(), folder)
        yield folder
        torch.set_num_threads(threads)


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CI": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder)],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def weights(folder: Path) -> dict[str, Tensor]:
    saved = torch.load(folder / LAST, map_location="cpu", weights_only=True)
    state: dict[str, Tensor] = saved["state_dict"]
    return state


def test_a_run_killed_and_started_again_ends_with_the_same_weights(
    finished: Path, tmp_path: Path
) -> None:
    shutil.copy(finished / STORE, tmp_path)  # a new store takes seconds to set up
    first = start(tmp_path)
    while not (tmp_path / LAST).exists():
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    about = torch.load(tmp_path / LAST, map_location="cpu", weights_only=True)[ABOUT]
    assert 0 < about["steps"] < short_run().steps
    train(short_run(), tmp_path)
    resumed, whole = weights(tmp_path), weights(finished)
    assert list(resumed) == list(whole)
    assert [name for name in whole if not torch.equal(resumed[name], whole[name])] == []
    assert int(resumed["ema.n_averaged"]) == short_run().steps


def stopped_and_finished(config: TrainConfig, finished: Path, folder: Path) -> list[Path]:
    """Return two folders: of a run that went through, and of one that broke in its second round."""
    folders = [folder / name for name in ("whole", "broken")]
    for one in folders:
        one.mkdir()
        shutil.copy(finished / STORE, one)
    train(config, folders[0])
    kind = type(build_task(config, Corpus(SynthConfig())))
    step = kind.training_step

    def breaking(task: Any, batch: Any, index: int) -> Tensor:
        if task.global_step == 3:
            raise RuntimeError("broken")
        return step(task, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "training_step", breaking)
        with pytest.raises(RuntimeError, match="broken"):
            train(config, folders[1])
    about = torch.load(folders[1] / LAST, map_location="cpu", weights_only=True)[ABOUT]
    assert about["steps"] == 2
    train(config, folders[1])
    return folders


@pytest.mark.parametrize("kind", ["fixmatch", "adapt", "sketch_more"])
def test_other_kinds_of_run_resume_to_the_same_weights_too(
    kind: str, finished: Path, tmp_path: Path
) -> None:
    """Thresholds and the mean are part of it for one, what stands still or teaches for others."""
    begun = replace(short_run(), start_from=finished / LAST)
    config = {
        "fixmatch": replace(
            short_run(), semi=SemiConfig(wait=0.0, ramp=0.0, threshold=0.6, floor=0.5)
        ),
        "adapt": replace(begun, adapt=AdaptConfig()),
        "sketch_more": replace(begun, sketch=True, branch_rate=0.2),
    }[kind]
    whole, broken = map(weights, stopped_and_finished(config, finished, tmp_path))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    still = torch.equal(whole["net.encoder.conv1.weight"], weights(finished)[MEAN_STEM])
    assert still == (kind != "fixmatch")


def test_the_run_for_a_gpu_turns_on_a_cpu(finished: Path, tmp_path: Path) -> None:
    """Its precision, workers and clock, with a tiny network; compiling takes minutes here."""
    shutil.copy(finished / STORE, tmp_path)
    config = build_recipe("released_gpu")
    buckets = tuple(replace(b, batch=2) for b in config.buckets[:2])
    small = replace(
        config,
        model=TINY,
        buckets=buckets,
        steps=3,
        round_steps=2,
        validate_rounds=1,
        validation_wafers=4,
        workers=2,
        threads=1,
        compile=False,
    )
    _, about = load_network(train(small, tmp_path))
    assert about["recipe"] == "released_gpu"
    assert about["steps"] == 3
    assert all(t.dtype != torch.bfloat16 for t in weights(tmp_path).values())


def test_a_run_whose_time_is_over_leaves_its_checkpoint(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / STORE, tmp_path)
    late = replace(short_run(), minutes=1.0e-6)
    _, about = load_network(train(late, tmp_path))
    assert about["steps"] == 1


def query(folder: Path, text: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / STORE) as store:
        return store.execute(text).fetchall()


def test_settings_commit_data_and_curves_are_tracked(finished: Path) -> None:
    assert query(finished, "select name, status from runs") == [("smoke", "FINISHED")]
    params = {str(k): v for k, v in query(finished, "select key, value from params")}
    config = short_run()
    for name in ("steps", "seed", "learning_rate", "ema_decay", "weight_decay"):
        assert params[name] == str(getattr(config, name))
    for name, value in asdict(config.loss).items():
        assert params[f"loss/{name}"] == str(value)
    assert params["model/depth"] == "18"
    assert params["commit"] == COMMIT
    assert params["data_fingerprint"] == open_corpus(None, "train").fingerprint
    curves = {str(key) for (key,) in query(finished, "select distinct key from metrics")}
    assert {"val/iou_mean", "val/labels_exact"} <= curves
    steps = query(finished, "select step from metrics where key = 'val/iou_mean' order by step")
    assert [step for (step,) in steps] == [1, 3]


def test_other_settings_are_refused_in_the_same_folder(finished: Path) -> None:
    before = (finished / LAST).stat().st_mtime_ns
    for other in (replace(short_run(), seed=1), replace(short_run(), steps=6)):
        with pytest.raises(ConfigError, match="folder of its own"):
            train(other, finished)
    assert (finished / LAST).stat().st_mtime_ns == before


def test_a_run_that_never_began_leaves_its_folder_to_others(tmp_path: Path) -> None:
    lost = replace(short_run(), data=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="nowhere"):
        train(lost, tmp_path / "run")
    last = train(replace(lost, data=None, steps=1, round_steps=1), tmp_path / "run")
    assert last.exists()


def test_a_finished_run_is_not_run_again(finished: Path) -> None:
    before = weights(finished)
    assert train(short_run(), finished) == finished / LAST
    after = weights(finished)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(query(finished, "select run_uuid from runs")) == 1


def test_the_averaged_network_is_what_is_loaded(finished: Path) -> None:
    net, about = load_network(finished / LAST)
    state = weights(finished)
    assert not net.training
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, state[f"ema.module.{name}"])
    assert not torch.equal(net.mask_head.weight, state["net.mask_head.weight"])
    assert about["steps"] == short_run().steps
    assert about["data_fingerprint"] == open_corpus(None, "train").fingerprint


def test_foreign_files_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no checkpoint")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "object").write_bytes(pickle.dumps(Path("x")))
    torch.save({"state_dict": {}}, tmp_path / "other")
    torch.save(torch.zeros(3), tmp_path / "tensor")
    about = {"model": asdict(TINY)}
    state = {f"ema.module.{k}": v for k, v in WaferNet(TINY).state_dict().items()}
    torch.save({ABOUT: about, "state_dict": dict(list(state.items())[1:])}, tmp_path / "part")
    torch.save({ABOUT: {"model": {"layers": 3}}, "state_dict": state}, tmp_path / "config")
    for name, reason in (
        ("missing", "No such file or directory"),
        *((name, "damaged, or a file of another kind") for name in ("text", "empty", "object")),
        *((name, "its tensors are not those") for name in ("other", "tensor", "part", "config")),
    ):
        with pytest.raises(ModelError, match=rf"Expected a checkpoint .*{name} \({reason}") as told:
            load_network(tmp_path / name)
        assert told.value.__cause__ is not None
        assert "weights_only" not in str(told.value)


def test_a_run_killed_in_its_first_round_goes_on_after_a_commit(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow keeps what was first said of a run, and refuses to hear something else."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    shutil.copy(finished / STORE, tmp_path)
    monkeypatch.setattr("waferscope.ml.train.build_trainer", killed)
    for commit in ("a" * 40, "b" * 40):
        monkeypatch.setattr("waferscope.ml.train.current_commit", lambda c=commit: c)
        with pytest.raises(KeyboardInterrupt):
            train(short_run(), tmp_path)
    said = query(tmp_path, "select value from params where key = 'commit'")
    assert sorted(said, key=str) == [("a" * 40,), (COMMIT,)]


def test_synthetic_wafers_have_as_many_classes_as_the_run_asks() -> None:
    learned, held = open_corpora(replace(short_run(), counts=(0.0, 0.0, 1.0)))
    rng = np.random.default_rng(0)
    drawn = [learned.draw("synth", rng, 64).target == 1 for _ in range(12)]
    assert max(int(zones.any(axis=(1, 2)).sum()) for zones in drawn) == 2
    assert learned.synth.count_weights == (0.0, 0.0, 1.0)
    assert held.synth.count_weights == SynthConfig().count_weights
    assert learned.fingerprint != held.fingerprint


def test_mixtures_that_are_enlarged_need_a_pool(tmp_path: Path, rng: np.random.Generator) -> None:
    data = write_data(tmp_path, rng)
    bucket = Bucket(96, 4, 1.0, 1.0, Mix(synth=0.5, enlarged=0.5))
    learned, _ = open_corpora(replace(short_run(), data=data, buckets=(bucket,)))
    assert learned.pool is not None


def test_the_commit_is_gits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = current_commit()
    kind = subprocess.run(["git", "cat-file", "-t", found], capture_output=True, check=False)
    assert kind.stdout == b"commit\n" or found == "unknown"


def test_outside_a_checkout_the_commit_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert current_commit() == "unknown"
    monkeypatch.setenv("PATH", "")
    assert current_commit() == "unknown"
