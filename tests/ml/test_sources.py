"""What a run says that it was mixed of decides whose notices ship."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny_model import build_tiny_model
from waferscope.ml.config import Bucket, Mix
from waferscope.ml.graph.export import NOTICES
from waferscope.ml.recipes import build_recipe
from waferscope.ml.sources import (
    _OF_MIX,
    KINDS,
    lineage_of,
    note_beginning,
    notices_of,
    sources_of,
)
from waferscope.ml.task import ABOUT


def run(folder: Path, *mixes: Mix, **more: Any) -> Path:
    """Write the note of a run as `train` does; return its checkpoint's path."""
    config = build_recipe("smoke")
    buckets = [asdict(Bucket(32, 4, 1.0, 1.0, mix)) for mix in mixes]
    note = {**asdict(config), "buckets": buckets, **more}
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(note, default=str))
    return folder / "last.ckpt"


@pytest.mark.parametrize(
    ("mix", "sources"),
    [
        (Mix(), ("synthetic",)),
        (Mix(synth=0, real=1), ("WM-811K",)),
        (Mix(synth=0.5, mixed=0.5), ("synthetic", "MixedWM38")),
        (Mix(synth=0.5, composed=0.5), ("synthetic", "WM-811K", "MixedWM38")),
        (Mix(synth=0.5, enlarged=0.5), ("synthetic", "WM-811K", "MixedWM38")),
        (Mix(synth=0, annotated=1), ("annotated",)),
    ],
)
def test_sources_are_those_of_the_batches(
    mix: Mix, sources: tuple[str, ...], tmp_path: Path
) -> None:
    assert sources_of(run(tmp_path, mix)) == sources
    assert sources_of(run(tmp_path, Mix(), mix)) == tuple(
        name for name in KINDS if name in {"synthetic", *sources}
    )


def test_a_run_inherits_from_what_it_began_with(tmp_path: Path) -> None:
    first = run(tmp_path / "first", Mix(synth=0, mixed=1))
    first.touch()
    assert sources_of(run(tmp_path / "then", Mix(), start_from=str(first))) == (
        *("synthetic", "MixedWM38"),
    )
    said = {"training_data": {"sources": ["WM-811K"]}}
    model = build_tiny_model(tmp_path / "model.onnx", overrides=said)
    assert sources_of(run(tmp_path / "on", Mix(), start_from=str(model))) == (
        *("synthetic", "WM-811K"),
    )


def test_every_part_of_a_mix_has_a_source() -> None:
    """A part without one would count as everything."""
    assert set(_OF_MIX) == {part.name for part in fields(Mix)}


def test_what_nobody_knows_counts_as_everything(tmp_path: Path) -> None:
    assert sources_of(tmp_path / "last.ckpt") == tuple(KINDS)
    silent = build_tiny_model(tmp_path / "model.onnx")
    for start in (silent, tmp_path / "gone.onnx"):
        assert sources_of(run(tmp_path / "run", Mix(), start_from=str(start))) == tuple(KINDS)


def test_unlabelled_wafers_are_trained_on_too(tmp_path: Path) -> None:
    assert "WM-811K" in sources_of(run(tmp_path, Mix(), semi={"share": 0.5}))


def test_notices_are_those_of_the_public_sets_used() -> None:
    wm811k, mixedwm38, splits = NOTICES
    assert notices_of(["synthetic", "annotated"]) == ()
    assert notices_of(["synthetic", "WM-811K"]) == (wm811k, splits)
    assert notices_of(["MixedWM38"]) == (mixedwm38, splits)
    assert notices_of(KINDS) == NOTICES
    assert "WM-811K" in wm811k
    assert "MixedWM38" in mixedwm38


def test_the_lineage_goes_back_to_the_first_weights(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "tiny.onnx")
    first = run(tmp_path / "first", Mix(), start_from=str(model))
    torch.save({ABOUT: {"recipe": "smoke", "steps": 4}}, first)
    second = run(tmp_path / "second", Mix(), start_from=str(first))
    assert lineage_of(run(tmp_path / "alone", Mix())) == ()
    (named,) = lineage_of(first)
    assert named.startswith("model ")
    assert lineage_of(second) == (named, "smoke, 4 steps")
    first.unlink()
    assert lineage_of(second) == ("last.ckpt, not there any more",)


def test_a_beginning_is_remembered_though_its_file_is_replaced(tmp_path: Path) -> None:
    first = run(tmp_path / "first", Mix())
    torch.save({ABOUT: {"recipe": "smoke", "steps": 4}}, first)
    second = run(tmp_path / "second", Mix(), start_from=str(first))
    began = lineage_of(second)
    note_beginning(second.parent, first)
    first.unlink()
    assert lineage_of(second) == began
