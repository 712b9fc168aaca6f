"""Writes the table of routes into docs/api.md, from the OpenAPI document and the roles."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from waferscope.service.app import build_app
from waferscope.service.auth.identity import Authority
from waferscope.service.middleware import PAGES
from waferscope.service.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "api.md"
MARKS: Final = ("<!-- routes -->", "<!-- /routes -->")


def _roles(dependant: Dependant) -> Iterator[Authority]:
    if isinstance(dependant.call, Authority):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _roles(inner)


def routes(app: FastAPI) -> Iterator[tuple[str, str, str, str]]:
    """Yield noun, method and path, least role, and summary of every route of the API."""
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, APIRoute) or str(route.path) in PAGES:
            continue
        found = [one.role for one in _roles(route.dependant)]
        role = str(max(found, key=lambda one: one.rank)) if found else "anybody"
        first = (route.original_route.description or "").split("\n")[0]
        path = str(route.path).removeprefix("/api/v1")
        for method in sorted(route.methods or ()):
            yield path.split("/")[1], f"{method} {path}", role, first


def render_table(app: FastAPI) -> str:
    """Return the table of routes, in Markdown."""
    rows = ["| noun | route | least role | what it does |", "|---|---|---|---|"]
    for noun, route, role, what in routes(app):
        rows.append(f"| {noun} | `{route}` | {role} | {what} |")
    return "\n".join(rows)


def build_page(page: str) -> str:
    """Return the page with the table of today between its marks."""
    start, end = MARKS
    with tempfile.TemporaryDirectory() as folder:
        table = render_table(build_app(Settings(home=Path(folder))))
    block = f"{start}\n\n{table}\n\n{end}"
    return re.sub(f"{start}.*?{end}", lambda _: block, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(build_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
