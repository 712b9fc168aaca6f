"""Everything a run draws wafers from, opened once and shared with the loading process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import DieGrid
from waferscope.errors import ConfigError
from waferscope.infer.batching import canvas_shape
from waferscope.ml.data import (
    DOUBTED,
    LabelledWafer,
    Sample,
    WaferSet,
    from_label,
    from_mixture,
    from_synth,
    load_wafer_set,
    pattern_target,
)
from waferscope.ml.selection import Selection, keep_fraction, select, without_labels
from waferscope.synth import SynthConfig, build_wafer, draw_noise
from waferscope.synth.compose import Pool, build_pool
from waferscope.synth.enlarge import enlarge
from waferscope.synth.generate import SynthWafer
from waferscope.synth.textbook import draw_textbook

REAL_FILE: Final = "wm811k/{split}.parquet"
MIXED_FILE: Final = "mixedwm38/{split}.parquet"
SYNTH_WEIGHT: Final = 0.3
"""Weight of a synthetic wafer's pattern labels: they follow the definitions, not the labellers."""
SOURCES: Final = (
    "synth",
    "real",
    "mixed",
    "composed",
    "annotated",
    "noise",
    "textbook",
    "enlarged",
)
_MIXTURES: Final = ("composed", "enlarged")
TRAINING_CLASSES: Final = MappingProxyType(
    {
        "edge": 1.0,
        "center": 0.8,
        "ring": 1.0,
        "scratch": 1.6,
        "particle": 1.5,
        "lithography": 1.5,
        "etching": 0.9,
        "random": 0.7,
    }
)
"""How often synthetic wafers for training carry each class: the hard ones more often."""
TEXTBOOK_SIDE: Final = 64
"""Canvas of textbook wafers."""
ENLARGED_SIDE: Final = 64
"""Canvas of the mixtures that are enlarged."""
_THIN: Final = "scratch"
"""Class that is not enlarged: its lines would become bands."""
_TRIES: Final = 8
"""Mixtures drawn for one without lines."""
_REAL_SHAPES: Final = 0.6
_NONE: Final = "none"


@dataclass(frozen=True, eq=False)
class Corpus:
    """Real wafers (may be absent), a pool for mixtures, and how synthetic ones are drawn."""

    synth: SynthConfig
    real: WaferSet | None = None
    mixed: WaferSet | None = None
    pool: Pool | None = None
    unlabelled: WaferSet | None = None
    annotated: tuple[Sample, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the files read and the settings of `build_wafer`."""
        files = (self.real, self.mixed, self.unlabelled)
        parts = [repr(self.synth), *(s.fingerprint for s in files if s)]
        parts += [
            hashlib.sha256(one.dies.tobytes() + one.target.tobytes()).hexdigest()
            for one in self.annotated
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def draw(self, source: str, rng: np.random.Generator, side: int) -> Sample:
        """Return one sample of ``source`` whose canvas has the longer ``side``.

        Falls back to a synthetic wafer where the source has none of that size. Raises
        ConfigError for an unknown source.
        """
        if source == "real" and self.real and side in self.real.by_side:
            return from_label(_pick_balanced(self.real, rng, side))
        if source == "mixed" and self.mixed and side in self.mixed.by_side:
            wafers = self.mixed.by_side[side]
            return from_mixture(self.mixed.wafers[int(rng.choice(wafers))])
        if source in _MIXTURES:
            mixture = self._mixture(rng, side) if source == "composed" else self._large(rng, side)
            if mixture is not None:
                return from_synth(mixture, 1.0)
        if source == "annotated":
            fitting = [s for s in self.annotated if max(canvas_shape(s.dies.shape)) == side]
            if fitting:
                return fitting[int(rng.integers(len(fitting)))]
        if source == "noise":
            return from_label(LabelledWafer(draw_noise(rng, self._synth_shape(rng, side)), ()))
        if source == "textbook" and side == TEXTBOOK_SIDE:
            return from_synth(draw_textbook(rng), 1.0)
        if source not in SOURCES:
            raise ConfigError(
                f"Expected a source of {', '.join(SOURCES)}, got {source!r}. "
                "Fix the mix of the recipe."
            )
        wafer = build_wafer(rng, self.synth, shape=self._synth_shape(rng, side))
        return from_synth(wafer, SYNTH_WEIGHT)

    def draw_unlabelled(self, rng: np.random.Generator, side: int) -> DieGrid:
        """Return the dies of a wafer of which nothing is known, synthetic where there is none."""
        if self.unlabelled and side in self.unlabelled.by_side:
            index = int(rng.choice(self.unlabelled.by_side[side]))
            return self.unlabelled.wafers[index].dies
        return build_wafer(rng, self.synth, shape=self._synth_shape(rng, side)).dies

    def label_shares(self, side: int) -> npt.NDArray[np.float64]:
        """Return the share of the labelled wafers of this size with each pattern, [P]."""
        if self.real is None or side not in self.real.by_side:
            return np.zeros(len(DEFAULT_TAXONOMY.patterns))
        wafers = [self.real.wafers[int(n)] for n in self.real.by_side[side]]
        shares: npt.NDArray[np.float64] = np.mean(
            [pattern_target(w.labels) for w in wafers], axis=0, dtype=np.float64
        )
        return shares

    def _mixture(self, rng: np.random.Generator, side: int) -> SynthWafer | None:
        """Return a mixture on a canvas of ``side``, None where no donor has that size."""
        shapes = [s for s in self.pool.shapes if side - 32 < max(s) <= side] if self.pool else []
        if self.pool is None or not shapes:
            return None
        return self.pool.draw(rng, _pick_shape(self.pool, shapes, rng))

    def _large(self, rng: np.random.Generator, side: int) -> SynthWafer | None:
        """Return a mixture without lines enlarged to a canvas of ``side``, None where none is."""
        for _ in range(_TRIES if side > ENLARGED_SIDE else 0):
            wafer = self._mixture(rng, ENLARGED_SIDE)
            if wafer is not None and _THIN not in wafer.classes:
                shape = np.maximum(self._synth_shape(rng, side), wafer.dies.shape)
                return enlarge(rng, wafer, (int(shape[0]), int(shape[1])))
        return None

    def _synth_shape(self, rng: np.random.Generator, side: int) -> tuple[int, int]:
        if self.real and side in self.real.by_side and rng.random() < _REAL_SHAPES:
            index = int(rng.choice(self.real.by_side[side]))
            rows, cols = self.real.wafers[index].dies.shape
            return rows, cols
        low = 15 if side == 32 else side - 31
        long = int(rng.integers(low, side + 1))
        short = max(12, round(long * float(np.exp(-abs(rng.normal(0.0, 0.25))))))
        return (long, short) if rng.random() < 0.5 else (short, long)


def open_corpus(
    data: Path | None,
    split: str,
    selection: Selection | None = None,
    *,
    compose: bool = True,
    unlabelled: bool = False,
    seed: int = 0,
) -> Corpus:
    """Open the labelled files below ``data``; without a folder the corpus is synthetic alone.

    ``selection`` says which labels are used (default: all) and ``seed`` draws the fraction of
    them; ``unlabelled`` keeps every map beside them without its label. Raises ConfigError when
    ``data`` is given but a file is missing.
    """
    chosen = selection or Selection()
    weights = TRAINING_CLASSES if split == "train" else SynthConfig().class_weights
    kept = {name: w for name, w in weights.items() if name not in chosen.left_classes}
    synth = SynthConfig(class_weights=MappingProxyType(kept))
    if data is None:
        return Corpus(synth)
    files = (REAL_FILE, MIXED_FILE) if chosen.mixed else (REAL_FILE,)
    whole = [select(load_wafer_set(data / f.format(split=split)), chosen) for f in files]
    sets = [keep_fraction(wafers, chosen, seed) for wafers in whole]
    pool = None
    if compose:
        singles = [w for wafers in sets for w in wafers.wafers if len(w.labels) < 2]
        believed = [w for w in singles if w.weight >= DOUBTED]
        pool = build_pool((w.dies, w.labels[0] if w.labels else _NONE) for w in believed)
    return Corpus(
        synth,
        real=sets[0],
        mixed=sets[1] if chosen.mixed else None,
        pool=pool,
        unlabelled=without_labels(whole) if unlabelled else None,
    )


def _pick_balanced(wafers: WaferSet, rng: np.random.Generator, side: int) -> LabelledWafer:
    """Draw a label by the square root of its count, then one of its wafers."""
    groups = wafers.label_groups[side]
    weight = np.sqrt([len(g) for g in groups])
    group = groups[int(rng.choice(len(groups), p=weight / weight.sum()))]
    return wafers.wafers[int(rng.choice(group))]


def _pick_shape(
    pool: Pool, shapes: list[tuple[int, int]], rng: np.random.Generator
) -> tuple[int, int]:
    counts = [sum(map(len, pool.donors[shape].values())) for shape in shapes]
    weight = np.sqrt(counts)
    return shapes[int(rng.choice(len(shapes), p=weight / weight.sum()))]
