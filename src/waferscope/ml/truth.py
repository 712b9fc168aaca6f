"""Held-out wafers with a known answer: synthetic, labelled, hand-checked, and pure noise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.ml.data import load_wafer_set
from waferscope.synth import SynthConfig, draw_noise, generate
from waferscope.synth.compose import build_pool
from waferscope.synth.textbook import EVERY_CLASS, draw_textbook

Mask = npt.NDArray[np.bool_]

FIT_SEED: Final = 5_000_000
"""Synthetic wafers on which thresholds are fitted."""
TEST_SEED: Final = 6_000_000
"""Synthetic wafers on which figures are reported; training uses seeds far below both."""
HELD_OUT: Final = SynthConfig(side_range=(20, 64), large_side_range=(65, 128))
"""How held-out wafers are drawn: their sizes stay, so that the figures of models compare."""
PLAIN_SIDES: Final = (20, 64)
_NONE: Final = "none"


@dataclass(frozen=True, eq=False)
class Truth:
    """A wafer with its masks bool [C, rows, cols]; dies in ``ignore`` are not scored."""

    wafer: WaferMap
    masks: Mask
    ignore: Mask | None = None


def synthetic(seed: int, count: int, config: SynthConfig = HELD_OUT) -> Iterator[Truth]:
    """Yield synthetic wafers of a held-out seed with their exact masks."""
    for index, wafer in enumerate(generate(seed, count, config)):
        yield Truth(wafer.to_wafermap(f"synth-{seed}-{index}"), wafer.masks)


def plain(seed: int, count: int) -> Iterator[Truth]:
    """Yield wafers of another generator than `synthetic`: plain shapes, 20 to 64 dies a side."""
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        rows = int(np.exp(rng.uniform(*np.log(PLAIN_SIDES))))
        cols = int(np.clip(rows + rng.integers(-6, 7), *PLAIN_SIDES))
        wafer = draw_textbook(rng, (rows, cols), EVERY_CLASS)
        yield Truth(wafer.to_wafermap(f"plain-{seed}-{index}"), wafer.masks)


def textbook(seed: int, count: int) -> Iterator[Truth]:
    """Yield textbook wafers of a held-out seed with their exact masks."""
    for index in range(count):
        wafer = draw_textbook(np.random.default_rng((seed, index)))
        yield Truth(wafer.to_wafermap(f"textbook-{seed}-{index}"), wafer.masks)


def composed(wafers: Iterable[WaferMap], seed: int, count: int) -> Iterator[Truth]:
    """Yield mixtures of labelled wafers: patterns of some laid over others without a pattern.

    Wafers with two or more labels are left out. Raises InputError when no label is believed.
    """
    singles = [w for w in wafers if len(w.patterns or ()) < 2]
    pool = build_pool((w.dies, (w.patterns or (_NONE,))[0]) for w in singles)
    for index in range(count):
        wafer = pool.draw(np.random.default_rng((seed, index)))
        yield Truth(wafer.to_wafermap(f"composed-{seed}-{index}"), wafer.masks)


def labelled(path: Path) -> list[WaferMap]:
    """Return the wafers of a labelled Parquet file with their patterns and lot."""
    return [
        WaferMap(w.dies, wafer_id=w.wafer_id, lot_id=w.lot, patterns=w.labels)
        for w in load_wafer_set(path).wafers
    ]


def noise(seed: int, count: int) -> Iterator[WaferMap]:
    """Yield round wafers of 15 to 80 dies a side whose dies fail independently, 0 to 25 %."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        rows, cols = rng.integers(15, 81, 2)
        yield WaferMap(draw_noise(rng, (int(rows), int(cols))), wafer_id=f"noise-{index}")


def hand_checked(masks: Path, wafers: Path) -> list[Truth]:
    """Return real wafers with hand-checked masks: an npz of packed masks and the maps it names.

    The npz holds ``wafer_id``, ``shapes`` [N, 2], ``masks`` and ``ignore`` (bit-packed, one wafer
    after the other) and ``classes``. Raises ConfigError when the two files do not fit.
    """
    maps = {w.wafer_id: w for w in labelled(wafers)}
    with np.load(masks, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    if tuple(data["classes"].tolist()) != DEFAULT_TAXONOMY.class_names:
        raise ConfigError(
            f"Expected masks of the classes {DEFAULT_TAXONOMY.class_names}, "
            f"got {data['classes'].tolist()}. Use masks made for this taxonomy."
        )
    found, at_mask, at_ignore = [], 0, 0
    for name, (rows, cols) in zip(data["wafer_id"].tolist(), data["shapes"].tolist(), strict=True):
        cells, classes = rows * cols, len(DEFAULT_TAXONOMY.classes)
        mask_bytes, ignore_bytes = -(-classes * cells // 8), -(-cells // 8)
        packed = data["masks"][at_mask : at_mask + mask_bytes]
        hidden = data["ignore"][at_ignore : at_ignore + ignore_bytes]
        if name not in maps or maps[name].shape != (rows, cols):
            raise ConfigError(
                f"Expected a map of {rows}x{cols} dies named {name!r} in {wafers}, got none. "
                "Use the split that the masks were made on."
            )
        found.append(
            Truth(
                maps[name],
                np.unpackbits(packed, count=classes * cells).reshape(classes, rows, cols) > 0,
                np.unpackbits(hidden, count=cells).reshape(rows, cols) > 0,
            )
        )
        at_mask, at_ignore = at_mask + mask_bytes, at_ignore + ignore_bytes
    return found


def hard_wafers(masks: Path) -> tuple[str, ...]:
    """Return the wafers whose hand-checked masks are doubtful, as the notes beside them say.

    ``MASKS.md`` lists their places in the npz under "Hard wafers"; without notes there are none.
    """
    notes = masks.with_name("MASKS.md")
    if not notes.exists():
        return ()
    listed = re.search(r"^Hard wafers.*?\n((?:- .*\n)+)", notes.read_text(), flags=re.MULTILINE)
    with np.load(masks, allow_pickle=False) as file:
        names = file["wafer_id"].tolist()
    numbers = re.findall(r"\b\d+\b", listed[1]) if listed else []
    return tuple(names[int(number)] for number in numbers)
