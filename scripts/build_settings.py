"""Writes what documents say of the settings: `.env.example` and a table in docs/operations.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from waferscope.service.settings import DEFAULT_SECRET, Settings

ROOT: Final = Path(__file__).resolve().parents[1]
EXAMPLE: Final = ROOT / ".env.example"
PAGE: Final = ROOT / "docs" / "operations.md"
MARKS: Final = ("<!-- settings -->", "<!-- /settings -->")
HEAD: Final = """# Every setting of the service, with its default; written by `make docs`.
# Copy to .env in the folder where `waferscope` starts, and uncomment what is to differ.
# Variables of the environment go before those of the file. The AWS_* variables of an S3 store are
# no settings: they are read from the environment alone (docs/operations.md).
"""


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
        return "" if value == DEFAULT_SECRET else str(value)
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def render_example() -> str:
    """Return the text of `.env.example`."""
    blocks = [
        f"# {field.description}\n# WAFERSCOPE_{name.upper()}={_default(field)}\n"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([HEAD, *blocks])


def render_table() -> str:
    """Return the table of settings, in Markdown."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = f"`{_default(field)}`" if _default(field) else ""
        rows.append(f"| `WAFERSCOPE_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def build_page(page: str) -> str:
    """Return the page with the table of today between its marks."""
    start, end = MARKS
    block = f"{start}\n\n{render_table()}\n\n{end}"
    return re.sub(f"{start}.*?{end}", lambda _: block, page, flags=re.DOTALL)


def main() -> None:
    """Write both files."""
    EXAMPLE.write_text(render_example(), encoding="utf-8")
    PAGE.write_text(build_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
