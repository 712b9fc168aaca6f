"""What people write into a cell for a die: blanks, bins, pass and fail; and lot and wafer above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, NO_DIE, PASS

BLANK: Final = -1
GOOD: Final = -2
BAD: Final = -3
_BLANKS: Final = re.compile(r"[.\-_~*]*|nan|na|n/a|null|none|-1")
_NUMBER: Final = re.compile(r"\+?([0-9]{1,5})(?:[.,]0*)?")
_GOOD: Final = frozenset(("p", "pass", "passed", "g", "good", "ok", "true", "t", "y", "yes"))
_BAD: Final = frozenset(("f", "fail", "failed", "x", "b", "bad", "nok", "ng", "false", "n", "no"))
_LARGEST_BIN: Final = 0xFFFF

_META: Final = re.compile(
    r'[#\s"]*(lot|wafer|device|product)[ _]?(?:id|no|number|name)?"?\s*[:=,;\t]\s*"?([^,;\t"]+)',
    re.IGNORECASE,
)
_FIELD: Final = {"lot": "lot_id", "wafer": "wafer_id", "device": "product", "product": "product"}


def parse_token(token: str) -> int | None:
    """Return a bin number, or BLANK, GOOD or BAD; None for what no cell of a map holds.

    >>> [parse_token(t) for t in ("..", "17", "Pass", "X", "wafer")]
    [-1, 17, -2, -3, None]
    """
    text = token.strip().strip('"').strip().lower()
    if _BLANKS.fullmatch(text):
        return BLANK
    number = _NUMBER.fullmatch(text)
    if number is not None:
        return int(number[1]) if int(number[1]) <= _LARGEST_BIN else None
    return GOOD if text in _GOOD else BAD if text in _BAD else None


def state_of(values: npt.NDArray[np.integer], pass_bins: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return NO_DIE, PASS or FAIL per parsed token; 0 is a bin that fails unless it passes."""
    states = np.full(values.shape, FAIL, np.uint8)
    for good in (GOOD, *pass_bins):  # np.isin would take a 64-bit number for each cell
        states[values == good] = PASS
    states[values == BLANK] = NO_DIE
    return states


def find_names(lines: Sequence[str]) -> dict[str, Any]:
    """Return the names that lines before the table give, such as "Lot: A123"."""
    found = [match for line in lines if (match := _META.match(line[:200]))]
    return {_FIELD[match[1].lower()]: match[2].strip() for match in found}


class TokenTable:
    """Numbers for the distinct tokens of a file, in the order in which they appear."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}

    def number(self, cells: Sequence[str]) -> npt.NDArray[np.int32] | None:
        """Return the numbers of some tokens, or None once there are too many different ones."""
        numbers = self._numbers
        found = [numbers.setdefault(cell, len(numbers)) for cell in cells]
        return None if len(numbers) > self._most else np.array(found, dtype=np.int32)

    def parsed(self) -> list[int | None]:
        """Return the meaning of each token, by its number."""
        return [parse_token(token) for token in self._numbers]

    @property
    def tokens(self) -> list[str]:
        """The tokens, by their number."""
        return list(self._numbers)
