"""A report as files: JSON, a Markdown page, and figures beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from waferscope.ml.evaluation.markdown import build_page
from waferscope.ml.evaluation.pictures import write_pictures

JSON_NAME: Final = "report.json"
PAGE_NAME: Final = "report.md"
PICTURES: Final = "figures"


def write_report(report: Mapping[str, Any], folder: Path) -> Path:
    """Write a report into a folder; return the path of its page."""
    write_pictures(report, folder / PICTURES)
    (folder / JSON_NAME).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    page = folder / PAGE_NAME
    title = f"Report of {report['model']['file']}"
    page.write_text(build_page(report, title, PICTURES), encoding="utf-8")
    return page
