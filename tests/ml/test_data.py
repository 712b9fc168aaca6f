"""What is known of each die of a labelled wafer, rule by rule."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.ml.small import CLASSES, PATTERNS, disc, labelled_wafer, write_wafers
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import ConfigError
from waferscope.infer.batching import canvas_shape
from waferscope.ml.data import (
    LabelledWafer,
    WaferSet,
    from_label,
    from_mixture,
    from_synth,
    load_wafer_set,
    pattern_target,
)
from waferscope.synth import build_wafer
from waferscope.synth.derive import derive_masks

NEVER_LABELLED = {"lithography", "etching"}


def test_a_file_is_read_as_it_was_written(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [
        labelled_wafer(rng, "Loc", lot=3),
        labelled_wafer(rng, shape=(15, 22), lot=4),
        labelled_wafer(rng, "Center", "Edge-Ring", shape=(52, 52), lot=4),
    ]
    path = write_wafers(tmp_path / "a.parquet", made)
    found = load_wafer_set(path)
    assert found.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    for one, other in zip(found.wafers, made, strict=True):
        np.testing.assert_array_equal(one.dies, other.dies)
        assert (one.labels, one.wafer_id, one.lot) == (other.labels, other.wafer_id, other.lot)


def test_without_lots_every_wafer_is_its_own(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [labelled_wafer(rng), labelled_wafer(rng)]
    found = load_wafer_set(write_wafers(tmp_path / "a.parquet", made, lots=False))
    assert [w.lot for w in found.wafers] == [w.wafer_id for w in made]


def test_files_that_cannot_be_used_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = write_wafers(tmp_path / "whole.parquet", [labelled_wafer(rng)])
    pq.write_table(pq.read_table(path).drop_columns(["patterns"]), tmp_path / "column.parquet")
    (tmp_path / "text.parquet").write_text("wafer_id,rows")
    for name in ("missing", "column", "text"):
        with pytest.raises(ConfigError, match="Expected a labelled wafer file"):
            load_wafer_set(tmp_path / f"{name}.parquet")


def test_wafers_are_grouped_by_canvas_and_label(rng: np.random.Generator) -> None:
    shapes = [(20, 20), (32, 32), (33, 12), (12, 64), (65, 20), (20, 31)]
    wafers = tuple(
        labelled_wafer(rng, *labels, shape=shape)
        for shape in shapes
        for labels in ((), ("Loc",), ("Center", "Loc"))
    )
    sides, groups = defaultdict(list), defaultdict(list)
    for index, wafer in enumerate(wafers):
        side = max(canvas_shape(wafer.dies.shape))
        sides[side].append(index)
        groups[side, wafer.labels].append(index)
    found = WaferSet(wafers, "")
    assert {k: v.tolist() for k, v in found.by_side.items()} == dict(sides)
    assert set(sides) == {32, 64, 96}
    told = sorted(g.tolist() for side in found.label_groups.values() for g in side)
    assert told == sorted(groups.values())


def test_pattern_targets_mark_every_label() -> None:
    assert pattern_target(()).tolist() == [0] * 8
    both = pattern_target(("Scratch", "Center"))
    assert [PATTERNS[n] for n in np.flatnonzero(both)] == ["Center", "Scratch"]


def test_a_synthetic_wafer_is_known_on_every_die(rng: np.random.Generator) -> None:
    wafer = build_wafer(rng, shape=(30, 30), classes=["edge", "scratch"])
    ignore = (wafer.dies > 0) & (rng.random(wafer.dies.shape) < 0.1)
    sample = from_synth(wafer, 0.3, ignore)
    unknown = (wafer.dies == 0) | ignore
    for channel in range(8):
        assert (sample.target[channel][unknown] == -1).all()
        np.testing.assert_array_equal(
            sample.target[channel][~unknown], wafer.zones[channel][~unknown]
        )
    assert sample.weight == 0.3
    assert not sample.bag.any()
    assert sample.patterns.tolist() == [int(p in wafer.patterns) for p in PATTERNS]
    assert sample.reticle == wafer.reticle


@pytest.mark.parametrize("label", ["Center", "Donut", "Edge-Ring", "Loc", "Random", "Near-full"])
def test_a_labelled_wafer_by_the_rules(label: str, rng: np.random.Generator) -> None:
    wafer = labelled_wafer(rng, label)
    masks, ignore = derive_masks(wafer.dies, label)
    sample = from_label(wafer)
    fail = wafer.dies == 2
    own = DEFAULT_TAXONOMY.pattern_class[label]
    assert masks.any()
    for channel, name in enumerate(CLASSES):
        target = sample.target[channel]
        assert (target[~fail] == -1).all()
        if name in NEVER_LABELLED:
            assert (target == -1).all()
        elif name == own:
            assert (target[masks[channel]] == 1).all()
            assert (target[ignore] == -1).all()
            assert (target[fail & ~ignore & ~masks[channel]] == 0).all()
        else:
            assert (target[fail] == 0).all()
    assert not sample.bag.any()
    assert sample.patterns.tolist() == [int(p == label) for p in PATTERNS]
    assert sample.weight == 1.0


def test_a_wafer_labelled_none_has_no_class_on_its_fails(rng: np.random.Generator) -> None:
    wafer = labelled_wafer(rng)
    sample = from_label(wafer)
    fail = wafer.dies == 2
    assert fail.any()
    assert (sample.target[:, fail] == 0).all()
    assert (sample.target[:, ~fail] == -1).all()
    assert not sample.bag.any()
    assert not sample.patterns.any()


def test_a_label_not_believed_is_a_bag() -> None:
    present, _, _ = disc(27, 27)
    dies = present.astype(np.uint8)
    dies[13, 13] = 2
    assert not derive_masks(dies, "Edge-Ring")[0].any()
    sample = from_label(LabelledWafer(dies, ("Edge-Ring",)))
    edge = CLASSES.index("edge")
    assert np.flatnonzero(sample.bag).tolist() == [edge]
    assert (sample.target[edge] == -1).all()
    assert sample.target[CLASSES.index("center"), 13, 13] == 0
    assert sample.patterns.tolist() == [int(p == "Edge-Ring") for p in PATTERNS]


def test_a_mixture_is_a_bag_of_each_label(rng: np.random.Generator) -> None:
    wafer = labelled_wafer(rng, "Center", "Edge-Loc", "Scratch", shape=(52, 52))
    sample = from_mixture(wafer)
    fail = wafer.dies == 2
    present = {"center", "edge", "scratch"}
    for channel, name in enumerate(CLASSES):
        assert sample.bag[channel] == (name in present)
        unknown = name in present | NEVER_LABELLED
        assert (sample.target[channel][fail] == (-1 if unknown else 0)).all()
        assert (sample.target[channel][~fail] == -1).all()
    assert [PATTERNS[n] for n in np.flatnonzero(sample.patterns)] == [
        "Center",
        "Edge-Loc",
        "Scratch",
    ]


def test_a_mixture_of_nothing_is_a_none_wafer(rng: np.random.Generator) -> None:
    wafer = labelled_wafer(rng)
    one, other = from_mixture(wafer), from_label(wafer)
    np.testing.assert_array_equal(one.target, other.target)
    assert not one.bag.any()


@pytest.mark.parametrize("labels", [("Center",), ("Center", "Edge-Ring"), ()])
def test_a_doubted_label_says_nothing_of_the_dies(
    labels: tuple[str, ...], rng: np.random.Generator
) -> None:
    wafer = labelled_wafer(rng, *labels)
    for weight, known in ((0.2, False), (0.8, True)):
        sample = from_mixture(replace(wafer, weight=weight))
        assert sample.weight == weight
        assert sample.patterns.tolist() == pattern_target(labels).tolist()
        assert bool((sample.target >= 0).any()) == known
        assert sample.bag.any() == (known and len(labels) > 1)
