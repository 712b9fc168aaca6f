"""Colours are understood by habit, and what was guessed is said."""

from __future__ import annotations

import numpy as np
import pytest

from waferscope.io.picture_states import color_kind, color_name, read_colors

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (150, 150, 150)
GREEN, LIME, RED, YELLOW, BLUE = (0, 160, 0), (0, 255, 0), (220, 0, 0), (250, 240, 0), (0, 0, 220)


def states(background: tuple[int, ...], **counts: int) -> tuple[dict[str, int], float, str]:
    names = list(counts)
    colors = np.array([(*background, 255), *((*globals()[name], 255) for name in names)])
    meaning = read_colors(colors, dict(enumerate(counts.values(), 1)), 0)
    found = {names[number - 1]: state for number, state in meaning.states.items()}
    return found, meaning.sureness, meaning.words


@pytest.mark.parametrize(
    ("background", "counts", "expected"),
    [
        (WHITE, {"GREEN": 90, "RED": 10}, {"GREEN": 1, "RED": 2}),
        (WHITE, {"GREEN": 10, "RED": 90}, {"GREEN": 1, "RED": 2}),
        (BLACK, {"GREEN": 90, "LIME": 3, "BLUE": 4}, {"GREEN": 1, "LIME": 1, "BLUE": 2}),
        (WHITE, {"GREEN": 90, "RED": 9, "GREY": 3}, {"GREEN": 1, "RED": 2, "GREY": 0}),
        (WHITE, {"GREEN": 90, "BLACK": 9}, {"GREEN": 1, "BLACK": 2}),
        (BLACK, {"YELLOW": 9, "RED": 90}, {"YELLOW": 1, "RED": 2}),
        (WHITE, {"GREY": 9, "RED": 90, "BLUE": 3}, {"GREY": 1, "RED": 2, "BLUE": 2}),
        (BLACK, {"GREY": 9, "WHITE": 90}, {"GREY": 1, "WHITE": 2}),
        (WHITE, {"GREY": 90, "BLACK": 9}, {"GREY": 1, "BLACK": 2}),
        (WHITE, {"GREY": 3, "BLACK": 9, "BLUE": 4}, {"GREY": 2, "BLACK": 1, "BLUE": 2}),
        (WHITE, {"GREY": 9}, {"GREY": 1}),
        (WHITE, {"RED": 9}, {"RED": 2}),
    ],
)
def test_habits(
    background: tuple[int, ...], counts: dict[str, int], expected: dict[str, int]
) -> None:
    assert states(background, **counts)[0] == expected


def test_guesses_are_less_sure_and_said() -> None:
    sure = states(WHITE, GREEN=9, RED=1)
    guess = states(WHITE, GREY=9, BLACK=3, BLUE=2)
    assert sure[1] > states(BLACK, GREY=9, WHITE=3)[1] > guess[1]
    assert sure[2] == "background #FFFFFF, pass #00A000, fail #DC0000 (green passes)"
    assert "a guess: the commonest colour passes" in guess[2]


def test_kinds_and_names() -> None:
    kinds = {GREEN: "green", LIME: "green", RED: "red", YELLOW: "color", BLUE: "color"}
    kinds |= dict.fromkeys((WHITE, BLACK, GREY), "grey") | {(144, 238, 144): "green"}
    assert {color: color_kind(np.array([*color, 255])) for color in kinds} == kinds
    assert color_name(np.array([1, 2, 3, 0])) == "transparent"
