"""Everything a run draws wafers from, opened once and shared with the loading process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from waferscope.errors import ConfigError
from waferscope.ml.data import (
    LabelledWafer,
    Sample,
    WaferSet,
    from_label,
    from_mixture,
    from_synth,
    load_wafer_set,
)
from waferscope.synth import SynthConfig, build_wafer
from waferscope.synth.compose import Pool, build_pool

REAL_FILE: Final = "wm811k/{split}.parquet"
MIXED_FILE: Final = "mixedwm38/{split}.parquet"
SYNTH_WEIGHT: Final = 0.3
"""Weight of a synthetic wafer's pattern labels: they follow the definitions, not the labellers."""
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
_REAL_SHAPES: Final = 0.6
_NONE: Final = "none"


@dataclass(frozen=True, eq=False)
class Corpus:
    """Real wafers (may be absent), a pool for mixtures, and how synthetic ones are drawn."""

    synth: SynthConfig
    real: WaferSet | None = None
    mixed: WaferSet | None = None
    pool: Pool | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the files read and the generator's settings."""
        parts = [repr(self.synth), *(s.fingerprint for s in (self.real, self.mixed) if s)]
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
        if source == "composed" and self.pool:
            shapes = [s for s in self.pool.shapes if side - 32 < max(s) <= side]
            if shapes:
                return from_synth(self.pool.draw(rng, _pick_shape(self.pool, shapes, rng)), 1.0)
        if source not in {"synth", "real", "mixed", "composed"}:
            raise ConfigError(
                f"Expected a source of synth, real, mixed or composed, got {source!r}. "
                "Fix the mix of the recipe."
            )
        wafer = build_wafer(rng, self.synth, shape=self._synth_shape(rng, side))
        return from_synth(wafer, SYNTH_WEIGHT)

    def _synth_shape(self, rng: np.random.Generator, side: int) -> tuple[int, int]:
        if self.real and side in self.real.by_side and rng.random() < _REAL_SHAPES:
            index = int(rng.choice(self.real.by_side[side]))
            rows, cols = self.real.wafers[index].dies.shape
            return rows, cols
        low = 15 if side == 32 else side - 31
        long = int(rng.integers(low, side + 1))
        short = max(12, round(long * float(np.exp(-abs(rng.normal(0.0, 0.25))))))
        return (long, short) if rng.random() < 0.5 else (short, long)


def open_corpus(data: Path | None, split: str, *, compose: bool = True) -> Corpus:
    """Open the labelled files below ``data``; without a folder the corpus is synthetic alone.

    Raises ConfigError when ``data`` is given but a file is missing.
    """
    synth = SynthConfig(class_weights=TRAINING_CLASSES) if split == "train" else SynthConfig()
    if data is None:
        return Corpus(synth)
    real = load_wafer_set(data / REAL_FILE.format(split=split))
    mixed = load_wafer_set(data / MIXED_FILE.format(split=split))
    pool = None
    if compose:
        singles = [w for w in (*real.wafers, *mixed.wafers) if len(w.labels) < 2]
        pool = build_pool((w.dies, w.labels[0] if w.labels else _NONE) for w in singles)
    return Corpus(synth, real, mixed, pool)


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
