"""What the colours of a drawn wafer map mean: no die, pass or fail.

The habits of test programs and plotting tools, in the order in which they are tried:

1. The colour of the corners, or a transparent one, is the background: no die.
2. Green passes. Then every other colour fails, but grey, black and white beside green and another
   colour are dies without a result.
3. Red fails. Then the commonest other colour passes.
4. Of two colours, the one further from the background fails (light grey and black on white, 127
   and 255 on black, teal and yellow on violet).
5. Of several, the commonest passes.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, NO_DIE, PASS
from waferscope.io.picture_file import Colors

Kind = str
_GREEN: Final = (75.0, 165.0)
_RED: Final = 20.0


@dataclass(frozen=True, slots=True)
class Meaning:
    """What each colour (by its number) stands for, how sure that is, and the guess in words."""

    states: dict[int, int]
    sureness: float
    words: str


def color_name(color: npt.NDArray[np.int64]) -> str:
    """Return a colour as #RRGGBB, or "transparent".

    >>> color_name(np.array([0, 128, 255, 255]))
    '#0080FF'
    """
    red, green, blue, alpha = (int(part) for part in color)
    return f"#{red:02X}{green:02X}{blue:02X}" if alpha >= 128 else "transparent"


def color_kind(color: npt.NDArray[np.int64]) -> Kind:
    """Return green, red, grey (black and white too) or colour.

    >>> [color_kind(np.array(c)) for c in ([0, 160, 0, 255], [200, 30, 30, 255], [9, 9, 9, 255])]
    ['green', 'red', 'grey']
    """
    hue, saturation, value = colorsys.rgb_to_hsv(*(int(part) / 255 for part in color[:3]))
    if saturation < 0.2 or value < 0.15:
        return "grey"
    degrees = hue * 360
    if _GREEN[0] <= degrees <= _GREEN[1]:
        return "green"
    return "red" if min(degrees, 360 - degrees) <= _RED and saturation >= 0.4 else "color"


def read_colors(colors: Colors, counts: dict[int, int], background: int | None) -> Meaning:
    """Return what the colours mean; ``counts`` are the cells of each colour but the background."""
    kinds = {number: color_kind(colors[number]) for number in counts}
    greens = [n for n, kind in kinds.items() if kind == "green"]
    reds = [n for n, kind in kinds.items() if kind == "red"]
    bright = [n for n, kind in kinds.items() if kind in ("red", "color")]
    states = dict.fromkeys(counts, FAIL)
    if greens:
        sureness, why = 1.0, "green passes"
        states |= dict.fromkeys(greens, PASS)
        if bright:
            states |= {n: NO_DIE for n, kind in kinds.items() if kind == "grey"}
    elif reds:
        others = {n: count for n, count in counts.items() if n not in reds}
        sureness, why = 0.95, "red fails"
        if others:
            states[max(others, key=others.__getitem__)] = PASS
    elif len(counts) == 2 and background is not None:
        away = {n: np.abs(colors[n] - colors[background])[:3].sum() for n in counts}
        states[min(away, key=away.__getitem__)] = PASS
        sureness, why = 0.85, "a guess: the colour further from the background fails"
    else:
        states[max(counts, key=counts.__getitem__)] = PASS
        sureness, why = 0.7 if len(counts) > 1 else 0.85, "a guess: the commonest colour passes"
    return Meaning(states, sureness, _in_words(colors, counts, states, background, why))


def _in_words(
    colors: Colors,
    counts: dict[int, int],
    states: dict[int, int],
    background: int | None,
    why: str,
) -> str:
    said = [] if background is None else [f"background {color_name(colors[background])}"]
    for state, name in ((PASS, "pass"), (FAIL, "fail"), (NO_DIE, "no result")):
        own = sorted((n for n in counts if states[n] == state), key=lambda n: -counts[n])
        if own:
            shown = " ".join(color_name(colors[n]) for n in own[:6])
            said.append(f"{name} {shown}{' and more' if len(own) > 6 else ''}")
    return f"{', '.join(said)} ({why})"
