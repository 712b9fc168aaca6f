"""Predictions as files: the result table (CSV, Parquet) and JSON.

The table has one row per wafer and these columns, in this order; a program may rely on them:

==================== =============================================================================
wafer_id, lot_id     names, as the wafer's file has them ("" when unknown)
rows, cols           size of the die grid
dies, fails          tested and failing dies
yield                passing over tested dies, 0 to 1 (blank without a tested die)
labels               pattern labels decided present, the surest first, parted by ";"
pattern_<label>      calibrated probability of each pattern of the taxonomy
<class>_dies         failing dies in the mask of each class (a die can be in several)
<class>_defects      defects of each class
defect_dies          failing dies in any mask
severity             0 (nothing found) to 100
severity_level       low, medium or critical
dominant_class       class with the most dies ("" when nothing is found)
conflicts            where masks and labels disagree, parted by "; "
notes                what the reader guessed, dropped or found damaged, parted by "; "
model_version        version of the model
==================== =============================================================================
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from waferscope.errors import FormatError
from waferscope.io.columnar import table_bytes

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction

Row = dict[str, str | int | float | None]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
_NUMBERS: Final = re.compile(r" *[+-]?(?:[0-9]+\.?|\.[0-9])[0-9]*(?:,[+-]?[0-9]+)*")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


def result_row(prediction: Prediction) -> Row:
    """Return one row of the result table, its columns in their order."""
    wafer, metrics = prediction.wafer, prediction.metrics
    row: Row = {
        "wafer_id": wafer.wafer_id,
        "lot_id": wafer.lot_id or "",
        "rows": wafer.shape[0],
        "cols": wafer.shape[1],
        "dies": metrics.die_count,
        "fails": metrics.fail_count,
        "yield": metrics.wafer_yield,
        "labels": ";".join(prediction.labels),
    }
    row |= {f"pattern_{label}": prob for label, prob in prediction.patterns.items()}
    for name in prediction.taxonomy.class_names:
        row[f"{name}_dies"] = metrics.affected_dies[name]
        row[f"{name}_defects"] = metrics.counts[name]
    return row | {
        "defect_dies": metrics.affected,
        "severity": metrics.severity,
        "severity_level": metrics.severity_level,
        "dominant_class": metrics.dominant_class or "",
        "conflicts": "; ".join(prediction.conflicts),
        "notes": "; ".join(wafer.notes),
        "model_version": prediction.model_version,
    }


def result_csv(rows: Sequence[Row]) -> bytes:
    """Return the result table as CSV, UTF-8; text that a spreadsheet would run is defused."""
    return csv_bytes(_columns(rows), [list(row.values()) for row in rows])


def result_parquet(rows: Sequence[Row]) -> bytes:
    """Return the result table as Parquet: the columns and values of the CSV, typed."""
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    columns: dict[str, Any] = {}
    for name in _columns(rows):
        values = [row[name] for row in rows]
        known = {type(value) for value in values} - {type(None)}
        kind = float if not known or float in known else known.pop()
        columns[name] = pa.array(values, kinds[kind])
    return table_bytes(pa.table(columns))


def json_row(prediction: Prediction) -> bytes:
    """Return one prediction as JSON, the record of `Prediction.to_dict`."""
    text = json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def json_bytes(rows: Sequence[bytes]) -> bytes:
    """Return a JSON array with one record per line."""
    return b"[\n" + b",\n".join(rows) + b"\n]\n"


def csv_bytes(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a CSV file (UTF-8, commas), each row one line, with every text in it defused."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (columns, *rows):
        writer.writerow([safe_text(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue().encode("utf-8", "backslashreplace")


def safe_text(text: str) -> str:
    r"""Return a text as a cell of `csv_bytes` holds it: on one line, and defused.

    >>> safe_text("W01\nW02"), safe_text("=1+1")
    ('W01 W02', "'=1+1")
    """
    return defuse(_CONTROL.sub(" ", text))


def defuse(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: risky ones behind an apostrophe.

    Where the comma is the decimal sign, spreadsheets cut CSV at semicolons, within quotes too: each
    piece is taken as a text of its own.

    >>> defuse("=1+1"), defuse("-7.5"), defuse("W01;@a"), arm(defuse("@sum"))
    ("'=1+1", '-7.5', "W01;'@a", '@sum')
    """
    return ";".join(
        f"'{piece}" if _is_risky(piece) and not _NUMBERS.fullmatch(piece) else piece
        for piece in text.split(";")
    )


def arm(text: str) -> str:
    """Return the text that `defuse` was given."""
    return ";".join(
        piece[1:] if piece.startswith("'") and _is_risky(piece[1:]) else piece
        for piece in text.split(";")
    )


def _is_risky(text: str) -> bool:
    return text.lstrip(" ").startswith(_FORMULA)


def _columns(rows: Sequence[Row]) -> list[str]:
    if not rows:
        raise FormatError("Expected at least one prediction for a table, got none. Give some.")
    columns = list(rows[0])
    if any(list(row) != columns for row in rows):
        raise FormatError(
            "Expected predictions of one taxonomy in a table, got several. "
            "Write those of each model into a file of their own."
        )
    return columns
