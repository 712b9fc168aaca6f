"""The command line: one file per group of commands, each loading what it needs when it runs."""

from __future__ import annotations

from waferscope.cli.app import main

__all__ = ["main"]
