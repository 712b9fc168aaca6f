"""Held-out wafers: what is known of them is what was put in, or what another reader says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.ml.small import CLASSES, Mask, labelled_wafer, write_masks, write_wafers
from waferscope.errors import ConfigError
from waferscope.ml.truth import (
    HELD_OUT,
    PLAIN_SIDES,
    composed,
    hand_checked,
    hard_wafers,
    labelled,
    noise,
    plain,
    synthetic,
    textbook,
)
from waferscope.synth import generate


def test_synthetic_wafers_carry_the_generators_masks() -> None:
    for found, made in zip(synthetic(11, 3), generate(11, 3, HELD_OUT), strict=True):
        np.testing.assert_array_equal(found.wafer.dies, made.dies)
        np.testing.assert_array_equal(found.masks, made.masks)
        assert found.ignore is None
        assert found.wafer.patterns == made.patterns
    assert len({t.wafer.wafer_id for t in synthetic(11, 3)}) == 3


def test_plain_wafers_are_of_another_generator_with_its_masks() -> None:
    drawn = list(plain(3, 30))
    for one in drawn:
        assert PLAIN_SIDES[0] <= min(one.wafer.shape) <= max(one.wafer.shape) <= PLAIN_SIDES[1]
        assert not (one.masks & (one.wafer.dies != 2)).any()
    assert np.any([one.masks.any(axis=(1, 2)) for one in drawn], axis=0).all()
    again = next(plain(3, 1))
    assert np.array_equal(again.wafer.dies, drawn[0].wafer.dies)
    assert next(plain(4, 1)).wafer.fingerprint != again.wafer.fingerprint


def test_textbook_wafers_of_a_seed_are_the_same() -> None:
    one, same = (next(textbook(7, 1)) for _ in range(2))
    assert np.array_equal(one.masks, same.masks)
    assert one.wafer.patterns == same.wafer.patterns
    two, other = list(textbook(7, 2))[1], next(textbook(8, 1))
    assert len({w.wafer.fingerprint for w in (one, two, other)}) == 3


def test_labelled_wafers_keep_labels_lot_and_name(tmp_path: Path, rng: np.random.Generator) -> None:
    made = [labelled_wafer(rng, "Loc", lot=7), labelled_wafer(rng, shape=(20, 31), lot=8)]
    found = labelled(write_wafers(tmp_path / "a.parquet", made))
    assert [(w.wafer_id, w.lot_id, w.patterns) for w in found] == [
        (made[0].wafer_id, "7", ("Loc",)),
        (made[1].wafer_id, "8", ()),
    ]
    for one, other in zip(found, made, strict=True):
        np.testing.assert_array_equal(one.dies, other.dies)


def test_noise_has_no_structure_and_fails_on_at_most_a_quarter() -> None:
    wafers = list(noise(3, 40))
    for wafer in wafers:
        rows, cols = wafer.shape
        assert 15 <= rows <= 80
        assert 15 <= cols <= 80
        v, u = (2 * np.arange(n) / (n - 1) - 1 for n in (rows, cols))
        squared = v[:, None] ** 2 + u**2
        clear = abs(squared - 1) > 1e-9
        np.testing.assert_array_equal((wafer.dies > 0)[clear], (squared < 1)[clear])
    rates = [wafer.fail_count / wafer.die_count for wafer in wafers]
    assert max(rates) < 0.29
    assert 0.08 < float(np.mean(rates)) < 0.17
    again = list(noise(3, 40))
    assert all(np.array_equal(a.dies, b.dies) for a, b in zip(wafers, again, strict=True))


def test_mixtures_are_composed_of_the_wafers_given(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kinds: list[tuple[str, ...]] = [(), ("Center",), ("Edge-Ring",), ("Center", "Edge-Ring")]
    path = write_wafers(tmp_path / "a.parquet", [labelled_wafer(rng, *k) for k in kinds * 3])
    wafers = labelled(path)
    found = list(composed(wafers, 3, 20))
    assert {w for t in found for w in t.wafer.patterns or ()} == {"Center", "Edge-Ring"}
    assert any(len(t.wafer.patterns or ()) == 2 for t in found)
    for truth in found:
        assert truth.wafer.shape == (27, 27)
        assert not (truth.masks & (truth.wafer.dies != 2)).any()
        marked = {CLASSES[c] for c in np.flatnonzero(truth.masks.any(axis=(1, 2)))}
        labels = truth.wafer.patterns or ()
        assert marked == {{"Center": "center", "Edge-Ring": "edge"}[p] for p in labels}
    for one, other in zip(found, composed(wafers, 3, 20), strict=True):
        np.testing.assert_array_equal(one.wafer.dies, other.wafer.dies)
    assert len({t.wafer.wafer_id for t in found}) == 20


def checked(rng: np.random.Generator) -> tuple[list[tuple[str, Mask, Mask]], list[tuple[int, int]]]:
    """Masks and ignored dies of three wafers whose bits do not fill whole bytes."""
    shapes = [(9, 11), (8, 8), (13, 7)]
    masks = [rng.random((8, *s)) < 0.2 for s in shapes]
    hidden = [rng.random(s) < 0.2 for s in shapes]
    return [(f"w{n}", m, i) for n, (m, i) in enumerate(zip(masks, hidden, strict=True))], shapes


def test_hand_checked_masks_are_unpacked(tmp_path: Path, rng: np.random.Generator) -> None:
    truths, shapes = checked(rng)
    wafers = [
        type(w)(w.dies, w.labels, name, w.lot)
        for name, w in zip(
            ("other", "w2", "w0", "w1"),
            [labelled_wafer(rng, shape=s) for s in ((5, 5), shapes[2], shapes[0], shapes[1])],
            strict=True,
        )
    ]
    maps = write_wafers(tmp_path / "val.parquet", wafers)
    found = hand_checked(write_masks(tmp_path / "m.npz", truths), maps)
    for truth, (name, masks, ignore) in zip(found, truths, strict=True):
        assert truth.wafer.wafer_id == name
        assert truth.ignore is not None
        np.testing.assert_array_equal(truth.masks, masks)
        np.testing.assert_array_equal(truth.ignore, ignore)


def test_masks_that_do_not_fit_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    truths, _ = checked(rng)
    wafer = labelled_wafer(rng, shape=(9, 11))
    maps = write_wafers(tmp_path / "val.parquet", [type(wafer)(wafer.dies, (), "w0", "0")])
    turned = write_masks(tmp_path / "classes.npz", truths[:1], CLASSES[::-1])
    with pytest.raises(ConfigError, match="masks of the classes"):
        hand_checked(turned, maps)
    for name, bad in {"missing": truths, "shape": [("w0", *truths[1][1:])]}.items():
        with pytest.raises(ConfigError, match="Expected a map of"):
            hand_checked(write_masks(tmp_path / f"{name}.npz", bad), maps)


def test_hard_wafers_are_those_that_the_notes_name(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    truths, _ = checked(rng)
    masks = write_masks(tmp_path / "m.npz", truths)
    assert hard_wafers(masks) == ()
    notes = tmp_path / "MASKS.md"
    notes.write_text("Hard wafers (index in the file):\n- Center 0; Loc 2\n\nIndex 1 is easy.\n")
    assert hard_wafers(masks) == ("w0", "w2")
    notes.write_text("No such list. 1\n")
    assert hard_wafers(masks) == ()


def test_the_hard_wafers_of_the_real_masks_are_41(shared_data: Path) -> None:
    found = hard_wafers(shared_data / "wm811k" / "val_masks.npz")
    assert len(set(found)) == 41


def test_the_real_masks_read_as_their_own_reader_reads_them(shared_data: Path) -> None:
    folder = shared_data / "wm811k"
    spec = importlib.util.spec_from_file_location("load_masks", folder / "load_masks.py")
    assert spec is not None
    assert spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    found = hand_checked(folder / "val_masks.npz", folder / "val.parquet")
    theirs = list(reader.load(folder / "val_masks.npz"))
    assert len(found) == len(theirs) > 0
    for truth, (name, masks, ignore) in zip(found, theirs, strict=True):
        assert truth.wafer.wafer_id == name
        assert np.array_equal(truth.masks, masks)
        assert truth.ignore is not None
        assert np.array_equal(truth.ignore, ignore)
        assert not (truth.masks & (truth.wafer.dies != 2)).any()
