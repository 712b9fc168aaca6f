"""How long wafers are kept: a pure rule, decided from products, days and when a wafer came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

EVERY_PRODUCT: Final = ""
"""The product of the rule that holds where no rule names the wafer's own."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Wafers that came before an instant are due: those of a product, or of all but some.

    With ``product`` None, every product is meant but those in ``but``.
    """

    product: str | None
    before: datetime
    but: tuple[str, ...] = ()


def is_due(product: str, arrived_at: datetime, rules: Mapping[str, int], now: datetime) -> bool:
    """Return whether a wafer is kept no longer; ``rules`` maps a product to its days.

    The rule of the wafer's own product goes before that of every product; without either it is
    kept for ever.

    >>> from datetime import UTC
    >>> came, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    >>> is_due("P1", came, {"": 30}, now), is_due("P1", came, {"": 30, "P1": 90}, now)
    (True, False)
    """
    days = rules.get(product, rules.get(EVERY_PRODUCT))
    return days is not None and arrived_at < now - timedelta(days=days)


def cutoffs(rules: Mapping[str, int], now: datetime) -> list[Cutoff]:
    """Return the same rules as instants, which a database can compare with."""
    own = tuple(sorted(product for product in rules if product != EVERY_PRODUCT))
    found = [Cutoff(product, now - timedelta(days=rules[product])) for product in own]
    if EVERY_PRODUCT in rules:
        found.append(Cutoff(None, now - timedelta(days=rules[EVERY_PRODUCT]), own))
    return found
