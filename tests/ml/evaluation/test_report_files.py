"""A report on disk: read back as it was, its page beside its pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from waferscope.ml.evaluation.report_files import write_report


def test_a_folder_holds_the_whole_report(small_report: dict[str, Any], tmp_path: Path) -> None:
    page = write_report(small_report, tmp_path / "out")
    assert page == tmp_path / "out" / "report.md"
    assert json.loads((page.parent / "report.json").read_text()) == small_report
    links = re.findall(r"!\[.+?\]\((.+?)\)", page.read_text(encoding="utf-8"))
    assert links
    assert all((page.parent / link).is_file() for link in links)
    assert page.read_text(encoding="utf-8").startswith("# Report of tiny.onnx\n")
