"""What synthetic wafers are drawn from: one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.errors import ConfigError

NONE_QUANTILES: Final = (
    (0.0, 0.0),
    (0.05, 0.04),
    (0.25, 0.096),
    (0.5, 0.149),
    (0.75, 0.188),
    (0.95, 0.236),
    (0.99, 0.275),
    (1.0, 0.30),
)
"""(share of wafers, fail rate) on WM-811K wafers labelled as free of patterns."""
REFERENCE_SIDE: Final = 27
"""Their median grid side, in dies; larger grids are cleaner."""

_EVEN_WEIGHTS: Final = MappingProxyType(dict.fromkeys(DEFAULT_TAXONOMY.class_names, 1.0))


@dataclass(frozen=True)
class SynthConfig:
    """How wafers are drawn; shares and probabilities are 0 to 1.

    ``count_weights[n]`` is the weight of wafers with n classes, ``class_weights`` that of each
    class (a class without one is never drawn). Random fails hide what is under them, so they stay
    beside other classes in a ``random_mixed_share`` of the draws only. ``side_range`` are the
    usual grid sides in dies, ``large_side_range`` those of a ``large_share`` of the wafers.

    Fail rates of the background follow ``density_quantiles``, or lie in ``clean_density`` for a
    ``clean_share`` of the wafers with a pattern (a ninth of that without one); above 27 dies a
    side they fall with size. ``faint_probability`` is the lowest fail probability at the heart of
    a zone, ``min_contrast`` the fail rate that a zone must have above what it would be without
    its pattern. ``missing_share`` of the wafers lack dies inside the outline, ``notch_share`` at
    the notch; ``reticle_share`` say what their exposure field is. ``tries`` are the attempts to
    place each pattern before it is given up.

    Raises ConfigError for weights, shares or ranges that cannot be.
    """

    count_weights: tuple[float, ...] = (0.14, 0.42, 0.26, 0.13, 0.05)
    class_weights: Mapping[str, float] = field(default_factory=lambda: _EVEN_WEIGHTS)
    random_mixed_share: float = 0.25
    taxonomy: Taxonomy = DEFAULT_TAXONOMY
    side_range: tuple[int, int] = (15, 64)
    large_side_range: tuple[int, int] = (65, 320)
    large_share: float = 0.04
    density_quantiles: tuple[tuple[float, float], ...] = NONE_QUANTILES
    clean_density: tuple[float, float] = (0.0, 0.05)
    clean_share: float = 0.45
    faint_probability: float = 0.5
    min_contrast: float = 0.3
    missing_share: float = 0.3
    notch_share: float = 0.15
    reticle_share: float = 0.3
    tries: int = 12

    def __post_init__(self) -> None:
        _check_weights("count_weights", self.count_weights)
        _check_weights("class_weights", tuple(self.class_weights.values()))
        for name in self.class_weights:
            self.taxonomy.channel(name)
        for name in (
            "random_mixed_share",
            "large_share",
            "clean_share",
            "faint_probability",
            "min_contrast",
            "missing_share",
            "notch_share",
            "reticle_share",
        ):
            share = getattr(self, name)
            if not 0.0 <= share <= 1.0:
                raise ConfigError(f"Expected {name} of 0 to 1, got {share}. Give a share.")
        for name in ("side_range", "large_side_range", "clean_density"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ConfigError(
                    f"Expected {name} as (low, high) with 0 <= low <= high, got {(low, high)}. "
                    "Swap or correct them."
                )
        if self.tries < 1:
            raise ConfigError(f"Expected at least 1 of tries, got {self.tries}. Raise it.")


def _check_weights(name: str, weights: tuple[float, ...]) -> None:
    if not weights or min(weights) < 0 or sum(weights) <= 0:
        raise ConfigError(
            f"Expected {name} of at least 0 with a sum above 0, got {weights}. Give some weight."
        )
