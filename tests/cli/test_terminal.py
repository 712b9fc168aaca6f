"""Maps in letters and blocks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.hand_made import disc
from waferscope.cli.terminal import draw_color, draw_plain, thin


def test_letters_stand_for_dies() -> None:
    dies = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    assert draw_plain(dies) == "  ··##\n##··"


@pytest.mark.parametrize("side", [1, 59, 60, 61, 212])
def test_thinning_keeps_a_lone_fail(side: int) -> None:
    dies = np.ones((side, side), dtype=np.uint8)
    dies[side // 3, side // 2] = 2
    small = thin(dies)
    assert max(small.shape) <= 60
    assert np.count_nonzero(small == 2) == 1


def test_blocks_hold_two_rows_a_line() -> None:
    text = draw_color(disc(15))
    lines = text.plain.split("\n")
    assert len(lines) == 8
    assert max(map(len, lines)) == 15
    assert set(text.plain) <= set("▀▄ \n")


def test_block_colours_tell_fails_from_passes() -> None:
    dies = np.array([[1, 2, 0], [2, 1, 1]], dtype=np.uint8)
    text = draw_color(dies)
    assert text.plain == "▀▀▄"
    styles = [str(span.style) for span in text.spans]
    assert len(set(styles)) == 3
