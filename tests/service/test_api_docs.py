"""The page on the API tells the truth: every route is on it, and its examples run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from scripts.build_api_docs import PAGE, build_page, routes
from tests.service import servers
from tests.service.conftest import PASSWORD
from tests.service.jobs.conftest import program
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.auth.roles import Role
from waferscope.service.parts import Parts
from waferscope.service.people import make_user
from waferscope.service.settings import Settings

DEMO = Path(__file__).resolve().parents[2] / "src/waferscope/demo/demo_lot.stdf.gz"
NAME = "reader-of-docs"


def examples(language: str) -> str:
    """Every block of the page in a language, as one program."""
    fenced = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    return "\n".join(fenced)


@pytest.fixture
def served(house: Parts, settings: Settings, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server, a new user with a one-time password, and the variables that the examples need."""
    with house.records.writing() as session:
        made = make_user(session, SYSTEM, name=NAME, role=Role.ANNOTATOR)
    shutil.copy(DEMO, tmp_path / "lot.stdf.gz")
    port = servers.free_port()
    with program(settings, "serve", "--port", str(port)):
        servers.wait_for(lambda: servers.listens(port), "the server")
        yield {
            **os.environ,
            "WAFERSCOPE": f"http://127.0.0.1:{port}",
            "NAME": NAME,
            "ONE_TIME": made.one_time_password or "",
            "PASSWORD": PASSWORD,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }


@pytest.mark.parametrize(
    ("language", "command"),
    [("sh", ["bash", "-euo", "pipefail", "-c"]), ("python", [sys.executable, "-c"])],
)
def test_examples_run(
    served: dict[str, str], tmp_path: Path, language: str, command: list[str]
) -> None:
    done = subprocess.run(
        [*command, examples(language)],
        env=served,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for picture in tmp_path.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_every_route_is_on_the_page(api: FastAPI) -> None:
    page = PAGE.read_text("utf-8")
    missing = [route for _, route, _, _ in routes(api) if f"| `{route}` |" not in page]
    assert missing == [], "docs/api.md is stale: run `make docs`"
    assert build_page(page) == page, "docs/api.md is stale: run `make docs`"
