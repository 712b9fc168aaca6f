"""Annotated wafers: every format that holds masks gives the same truth, matched to its wafer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from waferscope import write
from waferscope.cli.synthetic import write_synthetic
from waferscope.domain.masks import mask_to_rle
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.io.mask_png import dies_png, masks_png
from waferscope.ml.annotated import from_masks, read_annotated
from waferscope.ml.data import Sample, pattern_target
from waferscope.synth import SynthWafer, build_wafer, generate

NAMES = DEFAULT_TAXONOMY.class_names


@pytest.fixture(scope="module")
def wafers() -> list[SynthWafer]:
    return [w for w in generate(4, 9) if w.classes][:3]


def by_dies(samples: Sequence[Sample]) -> dict[bytes, Sample]:
    return {s.dies.tobytes(): s for s in samples}


def write_coco(path: Path, wafers: Sequence[SynthWafer]) -> None:
    """Write run lengths as COCO has them, by hand."""
    annotations = [
        {"image_id": n, "category_id": c + 1, "segmentation": mask_to_rle(mask)}
        for n, wafer in enumerate(wafers)
        for c, mask in enumerate(wafer.masks)
        if mask.any()
    ]
    shapes = [w.dies.shape for w in wafers]
    images = [
        {"id": n, "file_name": f"W{n}.png", "height": rows, "width": cols}
        for n, (rows, cols) in enumerate(shapes)
    ]
    categories = [{"id": c + 1, "name": name} for c, name in enumerate(NAMES)]
    record = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(record))


def check(found: Sequence[Sample], wafers: Sequence[SynthWafer]) -> None:
    """Each wafer is there once, its failing dies as its masks say and its passing ones unknown."""
    assert len(found) == len(wafers)
    there = by_dies(found)
    for wafer in wafers:
        target = there[wafer.dies.tobytes()].target
        fails = wafer.dies == 2
        np.testing.assert_array_equal(target[:, fails] == 1, wafer.masks[:, fails])
        assert (target[:, ~fails] == -1).all()


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_synthetic_wafers_bring_their_zones(
    suffix: str, wafers: list[SynthWafer], tmp_path: Path
) -> None:
    path = tmp_path / f"made.{suffix}"
    write_synthetic(wafers, path, prefix="made", class_names=NAMES)
    found = read_annotated(tmp_path)
    assert len(found) == 3
    for sample, wafer in zip(found, wafers, strict=True):
        np.testing.assert_array_equal(sample.dies, wafer.dies)
        on = wafer.dies > 0
        np.testing.assert_array_equal(sample.target[:, on], wafer.zones[:, on])
        assert (sample.target[:, ~on] == -1).all()
        assert sample.patterns.tolist() == pattern_target(wafer.patterns).tolist()


def test_coco_masks_find_the_wafers_of_a_table(wafers: list[SynthWafer], tmp_path: Path) -> None:
    maps = [WaferMap(w.dies, wafer_id=f"W{n}") for n, w in enumerate(wafers)]
    write(maps, tmp_path / "lot.parquet")
    write_coco(tmp_path / "instances.json", wafers)
    found = read_annotated(tmp_path)
    check(found, wafers)
    assert all((s.patterns == -1).all() for s in found)


def test_masks_as_pictures_find_wafers_by_id_and_by_file_name(
    wafers: list[SynthWafer], tmp_path: Path
) -> None:
    for n, wafer in enumerate(wafers):
        name, lot = f"W{n}", "L7" if n else None
        map_ = WaferMap(wafer.dies, wafer_id=name, lot_id=lot, patterns=wafer.patterns)
        (tmp_path / f"map{n}.dies.png").write_bytes(dies_png(map_))
        stem, called = (f"map{n}", "") if n == 2 else (f"any{n}", name)
        masks = masks_png(wafer.masks, wafer_id=called, lot_id=lot)
        (tmp_path / f"{stem}.masks.png").write_bytes(masks)
    found = read_annotated(tmp_path)
    check(found, wafers)
    labels = {tuple(s.patterns.tolist()) for s in found}
    assert labels == {tuple(pattern_target(w.patterns).tolist()) for w in wafers}


def test_masks_without_their_wafer_are_refused(wafers: list[SynthWafer], tmp_path: Path) -> None:
    write_coco(tmp_path / "instances.json", wafers[:1])
    with pytest.raises(ConfigError, match="no such wafer"):
        read_annotated(tmp_path)
    other = np.ones((9, 9), np.uint8)
    write([WaferMap(other, wafer_id="W0")], tmp_path / "lot.parquet")
    with pytest.raises(ConfigError, match=r"one of \(9, 9\)"):
        read_annotated(tmp_path)


def test_folders_without_masks_are_refused(wafers: list[SynthWafer], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder"):
        read_annotated(tmp_path / "none")
    with pytest.raises(ConfigError, match="got none"):
        read_annotated(tmp_path)
    write([WaferMap(wafers[0].dies, wafer_id="W0")], tmp_path / "lot.parquet")
    with pytest.raises(ConfigError, match="got none"):
        read_annotated(tmp_path)
    (tmp_path / "notes.bin").write_bytes(bytes(range(40)))
    with pytest.raises(ConfigError, match=r"notes\.bin"):
        read_annotated(tmp_path)


def test_passing_dies_of_drawn_masks_are_unknown() -> None:
    dies = np.array([[0, 1, 2], [2, 1, 2]], np.uint8)
    masks = np.zeros((8, 2, 3), bool)
    masks[3, 1, 2] = True
    sample = from_masks(WaferMap(dies, patterns=("Scratch",)), masks)
    assert sample.target[3].tolist() == [[-1, -1, 0], [0, -1, 1]]
    assert sample.target[0].tolist() == [[-1, -1, 0], [0, -1, 0]]
    assert sample.patterns.tolist() == pattern_target(("Scratch",)).tolist()


def write_lots(folder: Path, wafers: Sequence[SynthWafer], lots: Sequence[str]) -> None:
    """Write wafers of one name and shape, each of a lot and a file of its own."""
    for lot, wafer in zip(lots, wafers, strict=True):
        write([WaferMap(wafer.dies, wafer_id="01", lot_id=lot)], folder / f"{lot}.parquet")


@pytest.fixture
def namesakes() -> list[SynthWafer]:
    return [
        build_wafer(np.random.default_rng(n), shape=(24, 24), classes=["center"]) for n in (1, 2)
    ]


def test_masks_of_a_lot_find_the_wafer_of_that_lot(
    namesakes: list[SynthWafer], tmp_path: Path
) -> None:
    write_lots(tmp_path, namesakes, ("A", "B"))
    for lot, wafer in zip(("A", "B"), namesakes, strict=True):
        masks = masks_png(wafer.masks, wafer_id="01", lot_id=lot)
        (tmp_path / f"{lot}-masks.masks.png").write_bytes(masks)
    check(read_annotated(tmp_path), namesakes)


def test_masks_that_do_not_say_which_of_two_are_refused(
    namesakes: list[SynthWafer], tmp_path: Path
) -> None:
    write_lots(tmp_path, namesakes, ("A", "B"))
    (tmp_path / "x.masks.png").write_bytes(masks_png(namesakes[0].masks, wafer_id="01"))
    with pytest.raises(ConfigError, match="got 2 of that name"):
        read_annotated(tmp_path)


def test_a_wafer_of_another_lot_is_not_taken(namesakes: list[SynthWafer], tmp_path: Path) -> None:
    write_lots(tmp_path, namesakes[:1], ("A",))
    masks = masks_png(namesakes[0].masks, wafer_id="01", lot_id="Z")
    (tmp_path / "x.masks.png").write_bytes(masks)
    with pytest.raises(ConfigError, match="no such wafer"):
        read_annotated(tmp_path)
