"""What bin codes mean: their number, whether they pass, or that they are no product die.

E142 and G85 define bins alike: a code, a quality, a count and a description. The qualities that
files use beside Pass and Fail are many (Null, Skip, Ugly, Reference, Mirror ...): none of those is
a product die.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from waferscope.domain.wafermap import FAIL, NO_DIE, PASS, Bins, DieGrid
from waferscope.errors import FormatError
from waferscope.io.bin_rows import MISSING, WIDEST, Codes
from waferscope.io.formats import ReadOptions
from waferscope.io.semi.xml import Node

WIDTHS: Final[Mapping[str, int]] = {"ascii": 1, "decimal": 3, "hexadecimal": 2, "integer2": 4}
"""Characters per die of each BinType (E142.1; G85 has the same)."""
_USUAL_NULL: Final[Mapping[str, tuple[str, ...]]] = {
    "ascii": (".",),
    "decimal": ("255",),
    "hexadecimal": ("FF",),
    "integer2": ("FFFF",),
}
_GOOD: Final = ("pass", "good")
_BAD: Final = ("fail", "bad", "reject")
_KINDS: Final = ("die", "dice", "device", "devices", "chip", "bin")
_NO_PRODUCT: Final = re.compile(
    r"(?:null|no[ -]?die|none?|skip|ugly|edge|partial|ref|reference|mirror|align|alignment|plug|pcm"
    r"|process monitor|test|dummy|blank|empty|not? ?test|not ?tested|untested|unprobed|unknown"
    rf"|non[- ]?product|not[- ]?processed)(?:[ _-]?(?:{'|'.join(_KINDS)}))?"
)


@dataclass(frozen=True, slots=True)
class BinDefinition:
    """One bin as a file defines it; ``count`` is None where the file does not say."""

    code: str
    quality: str = ""
    description: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class BinMeaning:
    """One code: the bin's number, and its dies' state."""

    number: int
    state: int
    what: str = ""
    """What a die that is no product is called."""


def read_definitions(nodes: Sequence[Node]) -> list[BinDefinition]:
    """Return the bins that elements with BinCode, BinQuality ... define."""
    found = []
    for node in nodes:
        count = node.get("BinCount")
        found.append(
            BinDefinition(
                node.attrs.get("bincode", ""),
                node.get("BinQuality"),
                node.get("BinDescription"),
                int(count) if count.isascii() and count.isdigit() and len(count) < 10 else None,
            )
        )
    return found


def bin_type(text: str) -> str:
    """Return a BinType as `WIDTHS` has it; ASCII, the standard's default, for none.

    >>> bin_type("HexaDecimal"), bin_type("Hex"), bin_type("")
    ('hexadecimal', 'hexadecimal', 'ascii')
    """
    lower = text.strip().lower() or "ascii"
    found = next((name for name in WIDTHS if name.startswith(lower[:3])), None)
    if found is None:
        raise FormatError(
            f"Expected a BinType of ASCII, Decimal, HexaDecimal or Integer2, got {text[:40]!r}. "
            "Correct the map."
        )
    return found


def code_width(kind: str, null: str | None, definitions: Sequence[BinDefinition]) -> int:
    """Return the characters per die: as many as NullBin has, else as the map's type says.

    Files call codes of several characters ASCII too: there the bins defined tell, if all agree.

    >>> code_width("ascii", None, [BinDefinition("01"), BinDefinition("FF")])
    2
    """
    sizes = {len(d.code.strip()) for d in definitions if d.code.strip()}
    told = sizes if kind == "ascii" and len(sizes) == 1 else {WIDTHS[kind]}
    width = len(null) if null else told.pop()
    return width if width <= WIDEST else WIDTHS[kind]


def dies_and_bins(
    codes: Codes,
    kind: str,
    null: str | None,
    definitions: Sequence[BinDefinition],
    options: ReadOptions,
) -> tuple[DieGrid, Bins, list[str]]:
    """Return the states and bins of a map, and notes on what was guessed and left out.

    ``kind`` is one of `WIDTHS`, ``null`` the code of places without a die (None: not said).
    """
    notes = list(codes.notes)
    meanings = _meanings(codes.names, kind, null, definitions, options, notes)
    states = codes.look_up([m.state for m in meanings]).astype(np.uint8)
    numbers = codes.look_up([m.number if m.state else 0 for m in meanings])
    counts = np.bincount(codes.cells.reshape(-1), minlength=len(meanings))
    left_out: dict[str, int] = {}
    for meaning, count in zip(meanings, counts.tolist(), strict=True):
        if meaning.what:
            left_out[meaning.what] = left_out.get(meaning.what, 0) + count
    notes += [f"{n} {what} dies taken as no die" for what, n in sorted(left_out.items())]
    if any(m.number == 0 and m.state for m in meanings):
        notes.append("bin 0 is a bin of tested dies in this file; in a map 0 stands for none")
    notes += _wrong_counts(codes, counts.tolist(), definitions, kind)
    names = {
        number: d.description
        for d in definitions
        if d.description and (number := _number(d.code, kind)) is not None
    }
    grid = numbers if numbers.any() else None
    return states, Bins(hard=grid, hard_names=names), notes


def _meanings(
    names: Sequence[str],
    kind: str,
    null: str | None,
    definitions: Sequence[BinDefinition],
    options: ReadOptions,
    notes: list[str],
) -> list[BinMeaning]:
    defined = {_key(d.code, kind): d for d in reversed(definitions)}
    nulls = {_key(null, kind)} if null is not None else set()
    if null is None:
        usual = {_key(code, kind) for code in _USUAL_NULL[kind]} - set(defined)
        nulls = usual & {_key(name, kind) for name in names}
        if nulls:
            notes.append(f"no NullBin: {', '.join(_USUAL_NULL[kind])} taken as no die")
    judged = {key: _quality(d) for key, d in defined.items()}
    rated = any(state == PASS for state, _ in judged.values())
    found, guessed = [], set()
    for name in names:
        key = _key(name, kind)
        state, what = judged.get(key, (None, ""))
        number = _number(name, kind)
        if name == MISSING or key in nulls:
            state, what = NO_DIE, ""
        elif number is None and state != NO_DIE:
            raise FormatError(
                f"Expected bins of the type {kind} in the map, got {name!r}. "
                "Correct its BinType or its bins."
            )
        elif state is None:
            state = FAIL if rated or number not in options.pass_bins else PASS
            guessed.add(name.strip() or name)
        found.append(BinMeaning(number or 0, state, what))
    if guessed:
        habit = "fail" if rated else f"pass if {', '.join(map(str, options.pass_bins))}, else fail"
        listed = ", ".join(sorted(guessed)[:8])
        notes.append(f"bins of no known quality taken as {habit}: {listed}")
    return found


def _quality(definition: BinDefinition) -> tuple[int | None, str]:
    """Return the state of a bin's dies (None: not said), and what they are if no product."""
    quality, about = definition.quality.lower(), definition.description.strip().lower()
    if quality.startswith(_GOOD) or quality == "p":
        return PASS, ""
    bad = quality.startswith(_BAD) or quality == "f"
    for text in (quality, about):
        # Where a die failed, `Edge` says why, and `Edge die` what it is.
        if _NO_PRODUCT.fullmatch(text) and (not bad or text.endswith(_KINDS)):
            return NO_DIE, text.split()[0]
    return (FAIL, "") if bad else (None, "")


def _key(code: str, kind: str) -> object:
    """Return what two spellings of a code have in common: its number, else its text."""
    number = _number(code, kind)
    return code if number is None else number


def _number(code: str, kind: str) -> int | None:
    """Return a code as a bin number, or None for what is none."""
    text = code.strip()
    if kind == "ascii":
        if len(text) == 1:
            return int(text) if text in "0123456789" else ord(text)
        return ord(code) if len(code) == 1 else _integer(text, 10)
    return _integer(text, 10 if kind == "decimal" else 16)


def _integer(text: str, base: int) -> int | None:
    """Return a plain number of at most 65,535; no signs, blanks or underscores."""
    if not (text.isascii() and text.isalnum() and len(text) <= 5):
        return None
    try:
        number = int(text, base)
    except ValueError:
        return None
    return number if number <= 0xFFFF else None


def _wrong_counts(
    codes: Codes, counts: Sequence[int], definitions: Sequence[BinDefinition], kind: str
) -> list[str]:
    seen: dict[object, int] = {}
    for name, count in zip(codes.names, counts, strict=True):
        key = _key(name, kind)
        seen[key] = seen.get(key, 0) + count
    wrong = [
        d.code.strip()
        for d in definitions
        if d.count is not None and d.count != seen.get(_key(d.code, kind), 0)
    ]
    listed = ", ".join(wrong[:8])
    return [f"BinCount differs from the map's count: bins {listed}"] if wrong else []
