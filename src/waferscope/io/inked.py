"""Predictions as wafer maps whose bins tell an inker or a pick-and-place machine what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError
from waferscope.io.formats import WriteOptions

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction


def inked(row: Callable[[WaferMap], Any]) -> Callable[[Prediction, WriteOptions], Any]:
    """Return the row of a prediction for a writer whose row of a wafer this is.

    The row raises InputError when the options have no bins for the classes.
    """

    def inked_row(prediction: Prediction, options: WriteOptions) -> Any:
        from waferscope.domain.inking import ink

        if options.bins is None:
            raise InputError(
                "Expected bins for the classes of a prediction in this format, got none. "
                "Pass WriteOptions(bins=BinMapping({'scratch': 21})) with bins of your own."
            )
        return row(ink(prediction, options.bins))

    return inked_row
