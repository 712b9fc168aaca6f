"""A wafer map in a terminal: two rows of dies per line, in half blocks, or in plain letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from rich.text import Text

LETTERS: Final = "  ", "··", "##"
COLORS: Final = (None, "#9fb0c3", "#d55e00")
WIDEST: Final = 60
"""Columns of the largest drawing; a denser grid is thinned, a block with a fail shows a fail."""


WIDEST_PLAIN: Final = 40
"""The same in letters, which take two columns a die."""


def thin(dies: npt.NDArray[np.uint8], widest: int = WIDEST) -> npt.NDArray[np.uint8]:
    """Return the grid with at most ``widest`` cells a side; each block shows its highest value.

    >>> import numpy as np
    >>> thin(np.array([[1, 1, 0], [1, 2, 0]], dtype=np.uint8), widest=2)
    array([[2, 0]], dtype=uint8)
    """
    import numpy as np

    step = -(-max(dies.shape) // widest)
    rows, cols = (-(-side // step) * step for side in dies.shape)
    padded = np.zeros((rows, cols), dtype=np.uint8)
    padded[: dies.shape[0], : dies.shape[1]] = dies
    blocks: npt.NDArray[np.uint8] = padded.reshape(rows // step, step, cols // step, step).max(
        axis=(1, 3)
    )
    return blocks


def draw_plain(dies: npt.NDArray[np.uint8]) -> str:
    """Return the map in letters, two per die: ``·`` pass, ``#`` fail.

    >>> import numpy as np
    >>> print(draw_plain(np.array([[0, 1], [2, 1]], dtype=np.uint8)))
      ··
    ##··
    """
    lines = thin(dies, WIDEST_PLAIN).tolist()
    return "\n".join("".join(LETTERS[die] for die in line).rstrip() for line in lines)


def draw_color(dies: npt.NDArray[np.uint8]) -> Text:
    """Return the map in half blocks, one column per die and one line per two rows of dies.

    Passing dies are pale and failing dies vermilion.
    """
    import numpy as np
    from rich.style import Style
    from rich.text import Text

    grid = thin(dies)
    if grid.shape[0] % 2:
        grid = np.vstack([grid, np.zeros((1, grid.shape[1]), dtype=np.uint8)])
    text = Text()
    for upper, lower in zip(grid[::2].tolist(), grid[1::2].tolist(), strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            if top:
                text.append("▀", Style(color=COLORS[top], bgcolor=COLORS[bottom]))
            else:
                text.append("▄" if bottom else " ", Style(color=COLORS[bottom]))
        text.append("\n")
    text.rstrip()
    return text
