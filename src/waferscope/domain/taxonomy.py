"""Defect classes and patterns as data: names, order, colours and how a mask becomes defects.

A taxonomy travels inside the model file. Nothing in the code counts on eight classes or on their
names; another fab defines another taxonomy without touching the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from waferscope.errors import ConfigError

Grouping = Literal["components", "whole"]


@dataclass(frozen=True, slots=True)
class DefectClass:
    """One mask channel.

    ``grouping`` says how its dies become defects: connected ``components``, or one defect for the
    ``whole`` class (field lattices, graded areas). ``closing`` is the gap, in dies, bridged before
    components are found; ``split`` allows touching clusters to be parted by watershed; regions of
    fewer than ``min_dies`` failing dies are dropped.
    """

    id: int
    name: str
    color: str
    grouping: Grouping = "components"
    closing: int = 0
    split: bool = False
    min_dies: int = 3


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Classes (mask channels, in order), pattern labels (in order) and the map between them.

    ``pattern_class[label]`` is the class name whose mask must not contradict the label;
    ``class_names`` are those of the classes, in channel order.
    """

    version: str
    classes: tuple[DefectClass, ...]
    patterns: tuple[str, ...]
    pattern_class: Mapping[str, str]
    class_names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(c.name for c in self.classes)
        object.__setattr__(self, "class_names", names)  # asked for with every prediction
        if len(set(names)) != len(names) or len(set(self.patterns)) != len(self.patterns):
            raise ConfigError("Expected unique class and pattern names. Rename the duplicates.")
        if [c.id for c in self.classes] != list(range(1, len(self.classes) + 1)):
            got = [c.id for c in self.classes]
            raise ConfigError(
                f"Expected class ids 1 to {len(names)} in order, got {got}. Renumber them."
            )
        unknown = {
            p: c for p, c in self.pattern_class.items() if p not in self.patterns or c not in names
        }
        if unknown:
            raise ConfigError(
                f"Expected pattern_class to map known patterns to known classes, got {unknown}. "
                "Fix the names."
            )

    def channel(self, name: str) -> int:
        """Return the mask channel of a class; raise ConfigError for an unknown name."""
        try:
            return self.class_names.index(name)
        except ValueError:
            raise ConfigError(
                f"Expected one of the classes {', '.join(self.class_names)}, got {name!r}. "
                "Use a class of this taxonomy."
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready values; `Taxonomy.from_dict` reads them back."""
        return {
            "version": self.version,
            "classes": [asdict(c) for c in self.classes],
            "patterns": list(self.patterns),
            "pattern_class": dict(self.pattern_class),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Taxonomy:
        """Build a taxonomy from `to_dict` values; raise ConfigError when they do not fit."""
        try:
            return cls(
                version=str(data["version"]),
                classes=tuple(DefectClass(**c) for c in data["classes"]),
                patterns=tuple(str(p) for p in data["patterns"]),
                pattern_class={str(k): str(v) for k, v in data["pattern_class"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                "Expected a taxonomy with version, classes, patterns and pattern_class, "
                f"got a value that lacks or misspells one ({error}). "
                "Write it as Taxonomy.to_dict does."
            ) from error


# Colours: Okabe & Ito (2008), a palette told apart by colour-blind readers.
DEFAULT_TAXONOMY = Taxonomy(
    version="1",
    classes=(
        DefectClass(1, "edge", "#D55E00", closing=1),
        DefectClass(2, "center", "#E69F00", closing=1),  # a faint one fell into up to 29 defects
        DefectClass(3, "ring", "#CC79A7", closing=1),
        DefectClass(4, "scratch", "#0072B2", closing=1),
        DefectClass(5, "particle", "#009E73", split=True),
        DefectClass(6, "lithography", "#56B4E9", grouping="whole", min_dies=2),
        DefectClass(7, "etching", "#F0E442", grouping="whole"),
        DefectClass(8, "random", "#4D4D4D", grouping="whole"),
    ),
    patterns=(
        "Center",
        "Donut",
        "Edge-Loc",
        "Edge-Ring",
        "Loc",
        "Near-full",
        "Scratch",
        "Random",
    ),
    pattern_class={
        "Center": "center",
        "Donut": "ring",
        "Edge-Loc": "edge",
        "Edge-Ring": "edge",
        "Loc": "particle",
        "Near-full": "random",
        "Scratch": "scratch",
        "Random": "random",
    },
)
