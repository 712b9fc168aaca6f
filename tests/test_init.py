"""The public names: each resolves, is said, and the three lists of them agree."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import waferscope

PUBLIC = [name for name in waferscope.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(waferscope, name)
    assert inspect.getdoc(value)
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty
        empty = inspect.Parameter.empty
        assert all(item.annotation is not empty for item in signature.parameters.values())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_methods_are_documented(name: str) -> None:
    value = getattr(waferscope, name)
    if inspect.isclass(value) and not issubclass(value, Exception):
        own = {key: item for key, item in vars(value).items() if not key.startswith("_")}
        methods = {key: item for key, item in own.items() if inspect.isroutine(item)}
        assert [key for key, item in methods.items() if not inspect.getdoc(item)] == []


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(waferscope.__file__).read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in guarded for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == waferscope._HOME
    assert set(seen) == set(PUBLIC)


def test_dir_lists_them() -> None:
    assert set(PUBLIC) <= set(dir(waferscope))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'wafers'"):
        waferscope.__getattr__("wafers")
