"""Run a recipe: rounds of steps, a checkpoint after each, everything logged to MLflow."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import cv2
import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import MLFlowLogger

from waferscope.errors import ConfigError, ModelError
from waferscope.ml.adapt import AdaptTask
from waferscope.ml.annotated import read_annotated
from waferscope.ml.batches import BatchPlan, for_whole_network
from waferscope.ml.config import TrainConfig
from waferscope.ml.corpus import Corpus, open_corpus
from waferscope.ml.encoder import NOT_TENSORS
from waferscope.ml.glance_semi import GlanceSemiTask
from waferscope.ml.glance_task import GlanceTask
from waferscope.ml.graph.restore import network_config, restore_network
from waferscope.ml.model import ModelConfig, WaferNet
from waferscope.ml.rounds import Rounds
from waferscope.ml.selection import Selection
from waferscope.ml.semi import SemiTask, expected_shares
from waferscope.ml.sketch_more_task import SketchMoreTask
from waferscope.ml.sketch_task import SketchTask
from waferscope.ml.sources import note_beginning
from waferscope.ml.task import ABOUT, SegmentationTask

LAST: Final = "last.ckpt"
AVERAGED: Final = "ema.module."
"""What the names of the averaged weights begin with in a checkpoint."""
RESTORE_SEED: Final = 9_000_002
RESTORE_BATCHES: Final = 24
MODEL_SUFFIX: Final = ".onnx"


def train(config: TrainConfig, folder: Path, *, tracking_uri: str | None = None) -> Path:
    """Train, or go on with, the run kept in ``folder``; return the final checkpoint's path.

    A run that was killed goes on after its last complete round and ends with the same weights.
    Curves, settings, commit and data fingerprint go to MLflow (default: a SQLite file in
    ``folder``). Raises ConfigError for data that is not there, and for a folder whose run had
    other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_same_run(config, folder)
    config = follow_start(config, folder)
    keep_memory()
    if config.threads:
        torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    torch.set_float32_matmul_precision("high")  # TF32 where there is a GPU; nothing on a CPU
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    corpus, held_out = open_corpora(config)
    logger = MLFlowLogger(
        experiment_name="waferscope",
        run_name=config.name,
        tracking_uri=tracking_uri or f"sqlite:///{folder / 'mlflow.db'}",
        run_id=_run_id(folder),
    )
    if _run_id(folder) is None:  # MLflow refuses another commit when a run goes on
        facts = {"commit": current_commit(), "data_fingerprint": corpus.fingerprint}
        logger.log_hyperparams({**asdict(config), **facts})
        _keep_run_id(folder, logger)
    trainer = build_trainer(config, folder, logger)
    last = folder / LAST
    task = build_task(config, corpus)
    if config.start_from is not None and not last.exists():
        task.start_from(starting_network(config, corpus))
        note_beginning(folder, config.start_from)
    trainer.fit(
        task,
        datamodule=Rounds(config, corpus, held_out),
        ckpt_path=str(last) if last.exists() else None,
        weights_only=True,
    )
    return last


def build_task(config: TrainConfig, corpus: Corpus) -> SegmentationTask:
    """Return the kind of task that a run asks for."""
    if config.semi is not None:
        kind = GlanceSemiTask if config.glance else SemiTask
        return kind(config, corpus.fingerprint, expected_shares(config, corpus))
    if config.adapt is not None:
        return AdaptTask(config, corpus.fingerprint)
    if config.glance:
        return GlanceTask(config, corpus.fingerprint)
    if config.sketch:
        drawing = SketchMoreTask if config.branch_rate else SketchTask
        return drawing(config, corpus.fingerprint)
    return SegmentationTask(config, corpus.fingerprint)


def open_corpora(config: TrainConfig) -> tuple[Corpus, Corpus]:
    """Return what a run learns from and what it is validated on."""
    composed = any(b.mix.composed or b.mix.enlarged for b in config.buckets)
    corpus = open_corpus(
        config.data,
        "train",
        config.selection,
        compose=composed,
        unlabelled=config.semi is not None,
        seed=config.seed,
    )
    if config.annotated is not None:
        corpus = replace(corpus, annotated=read_annotated(config.annotated))
    if config.counts is not None:
        corpus = replace(corpus, synth=replace(corpus.synth, count_weights=config.counts))
    held = Selection(mixed=config.selection.mixed)
    return corpus, open_corpus(config.data, "val", held, compose=False)


def starting_network(config: TrainConfig, corpus: Corpus) -> WaferNet:
    """Return the network a run begins with, from a checkpoint or a model file."""
    path = config.start_from
    if path is None:
        raise ConfigError("Expected a checkpoint or model file to start from, got none.")
    if path.suffix != MODEL_SUFFIX:
        return load_network(path)[0]
    plan = BatchPlan(
        replace(for_whole_network(config), seed=RESTORE_SEED), corpus, 0, RESTORE_BATCHES
    )
    batches = (plan[n] for n in range(RESTORE_BATCHES))
    return restore_network(path, ((batch.dies, batch.fold) for batch in batches))


def follow_start(config: TrainConfig, folder: Path) -> TrainConfig:
    """Return the settings of a run whose network sketches as the one does that it goes on with.

    Recipes say nothing of that: a file of another version begins the same run. Where the label
    branch learns by itself, a sketch of what it was goes: masks stay those of the decoder.
    """
    last = folder / LAST
    path = last if last.exists() else config.start_from
    if path is None or config.glance:
        return config
    known = network_config(path) if path.suffix == MODEL_SUFFIX else load_network(path)[0].config
    sketch = known.sketch or config.model.sketch
    return replace(config, model=replace(config.model, sketch=sketch))


def build_trainer(config: TrainConfig, folder: Path, logger: Any) -> lightning.Trainer:
    """Return the trainer of a run: one checkpoint, replaced after each round."""
    rounds = -(-config.steps // config.round_steps)
    keep = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return lightning.Trainer(
        max_epochs=-1,
        max_steps=config.steps,
        accelerator="auto",
        devices=1,
        precision=config.precision,  # type: ignore[arg-type]
        gradient_clip_val=config.clip_norm,
        logger=logger,
        callbacks=[keep, LearningRateMonitor("step")],
        reload_dataloaders_every_n_epochs=1,
        check_val_every_n_epoch=min(config.validate_rounds, rounds),
        num_sanity_val_steps=0,
        benchmark=torch.cuda.is_available() or None,
        log_every_n_steps=10,
        enable_progress_bar=os.environ.get("CI") is None,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def load_network(checkpoint: Path) -> tuple[WaferNet, dict[str, Any]]:
    """Return the averaged network of a checkpoint, in evaluation mode, and what it says of itself.

    Raises ModelError when the file is not a checkpoint of `train`.
    """
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _no_checkpoint(checkpoint, error.strerror or "it cannot be read") from error
    except (RuntimeError, *NOT_TENSORS) as error:
        raise _no_checkpoint(checkpoint, "damaged, or a file of another kind") from error
    try:
        about: dict[str, Any] = saved[ABOUT]
        net = WaferNet(ModelConfig(**about["model"]))
        weights = saved["state_dict"].items()
        mean = {k.removeprefix(AVERAGED): v for k, v in weights if k.startswith(AVERAGED)}
        net.load_state_dict(mean)
    except (KeyError, RuntimeError, TypeError, *NOT_TENSORS) as error:
        raise _no_checkpoint(checkpoint, "its tensors are not those of the network") from error
    return net.eval(), about


def _no_checkpoint(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"Expected a checkpoint written by `waferscope train`, got {path} ({reason}). "
        "Point at the last.ckpt of a run."
    )


def current_commit() -> str:
    """Return the commit of the working folder, or ``unknown`` outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def keep_memory() -> None:
    """Let glibc keep freed memory instead of mapping it anew at every step; elsewhere do nothing.

    A step frees and takes gigabytes of activations; page faults took about half of its time.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    for option, value in ((-1, 2**31 - 1), (-2, 2**28), (-4, 0)):  # trim, top pad, mmap count
        mallopt(option, value)


def _check_same_run(config: TrainConfig, folder: Path) -> None:
    """Write the run's settings beside it, or compare with those it began with.

    A run whose data or start were not found has not begun.
    """
    note = folder / "run.json"
    mine = json.dumps(asdict(config), default=str, indent=1, sort_keys=True)
    begun = (folder / LAST).exists() or _run_id(folder) is not None
    if not begun or not note.exists():
        note.write_text(mine)
    elif note.read_text() != mine:
        raise ConfigError(
            f"Expected the settings that the run in {folder} began with ({note.name}), got others. "
            "Give the changed run a folder of its own."
        )


def _run_id(folder: Path) -> str | None:
    note = folder / "mlflow_run_id"
    return note.read_text().strip() if note.exists() else None


def _keep_run_id(folder: Path, logger: MLFlowLogger) -> None:
    run_id = logger.run_id
    if run_id:
        (folder / "mlflow_run_id").write_text(run_id)
