"""Builds the demo lot: 25 synthetic wafers of one product as a compressed STDF file.

    python scripts/build_demo_lot.py src/waferscope/demo/demo_lot.stdf.gz

Some wafers are clean, as in a real lot; the others show one or two mechanisms. The same seed gives
the same file, byte for byte, as long as the generator draws alike.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from waferscope import Bins, Frame, WaferMap, write
from waferscope.domain.wafermap import FAIL, PASS
from waferscope.synth import SynthConfig, SynthWafer, build_wafer

SEED: Final = 20260302
WAFERS: Final = 25
SHAPE: Final = (34, 38)
DIE_MM: Final = (7.7, 8.6)
CONFIG: Final = SynthConfig(
    density_quantiles=((0.0, 0.01), (1.0, 0.07)), missing_share=0.0, notch_share=0.0
)
MECHANISMS: Final[dict[int, tuple[str, ...]]] = {
    3: ("scratch",),
    5: ("edge",),
    6: ("edge",),
    7: ("edge", "particle"),
    9: ("center",),
    11: ("ring",),
    12: ("particle",),
    14: ("lithography",),
    15: ("lithography",),
    16: ("edge", "scratch"),
    18: ("etching",),
    20: ("random",),
    21: ("center", "scratch"),
    23: ("edge", "ring"),
    24: ("particle",),
}
"""What acts on which slot; the slots left out are clean."""

FAIL_BINS: Final = {3: "contact", 5: "functional", 6: "leakage", 8: "speed"}
FIRST_TEST: Final = datetime(2026, 3, 2, 6, 40, tzinfo=UTC)
PER_WAFER: Final = timedelta(minutes=17)


def build_lot() -> list[WaferMap]:
    """Return the wafers of the lot, by slot."""
    first = build_slot(1, None)
    outline = first.dies > 0
    return [
        describe(slot, first if slot == 1 else build_slot(slot, outline))
        for slot in range(1, WAFERS + 1)
    ]


def build_slot(slot: int, outline: np.ndarray | None) -> SynthWafer:
    """Draw until the wafer has the outline of its product and every mechanism found its place."""
    wanted = MECHANISMS.get(slot, ())
    attempt = 0
    while True:
        rng = np.random.default_rng((SEED, slot, attempt))
        wafer = build_wafer(rng, CONFIG, shape=SHAPE, classes=wanted)
        same = outline is None or bool(((wafer.dies > 0) == outline).all())
        if same and set(wafer.classes) == set(wanted):
            return wafer
        attempt += 1


def describe(slot: int, wafer: SynthWafer) -> WaferMap:
    """Give a wafer its names, sizes, times, bins and tester coordinates (centre 0, y upwards)."""
    rng = np.random.default_rng((SEED, slot))
    drawn = rng.choice(list(FAIL_BINS), size=SHAPE, p=[0.2, 0.5, 0.2, 0.1])
    bins = np.where(wafer.dies == FAIL, drawn, wafer.dies == PASS)
    return WaferMap(
        wafer.dies,
        wafer_id=f"DEMO01-{slot:02d}",
        lot_id="DEMO01",
        slot=slot,
        product="WS-DEMO",
        step="SORT1",
        tester="TESTER-A",
        tested_at=FIRST_TEST + PER_WAFER * (slot - 1),
        die_width_mm=DIE_MM[0],
        die_height_mm=DIE_MM[1],
        diameter_mm=300.0,
        frame=Frame(x0=-SHAPE[1] // 2, y0=SHAPE[0] // 2, dy=-1),
        bins=Bins(hard=bins.astype(np.uint16), hard_names={1: "pass", **FAIL_BINS}),
    )


def main() -> None:
    """Write the lot to the path given as the only argument."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    write(build_lot(), target)
    sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
