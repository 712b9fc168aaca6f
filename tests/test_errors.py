"""The exception tree: drawn as it is, each class said and reachable."""

from __future__ import annotations

import inspect
import re

import pytest

from waferscope import errors
from waferscope.errors import InputError, MissingExtraError, WaferError, WaferScopeError

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if member.__module__ == errors.__name__
]


def drawn() -> dict[str, int]:
    """Depth of each class in the drawing at the top of the file."""
    assert errors.__doc__ is not None
    lines = re.findall(r"^ {4}([│├└─ ]*)(\w+Error)\b", errors.__doc__, flags=re.MULTILINE)
    return {name: len(branch) // 4 for branch, name in lines}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_class_is_drawn_where_it_stands(error: type[WaferScopeError]) -> None:
    depth = len([parent for parent in error.__mro__ if issubclass(parent, WaferScopeError)]) - 1
    assert drawn()[error.__name__] == depth


def test_nothing_is_drawn_that_is_not_there() -> None:
    assert set(drawn()) == {error.__name__ for error in CLASSES}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_class_is_under_the_root_and_said(error: type[WaferScopeError]) -> None:
    assert issubclass(error, WaferScopeError)
    assert error.__doc__


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_build_says_expected_got_and_cure(error: type[WaferScopeError]) -> None:
    raised = error.build(expected="a wafer", got="a disc of cheese", cure="Eat it.")
    assert type(raised) is error
    assert str(raised) == "Expected a wafer, got a disc of cheese. Eat it."


def test_callers_may_catch_the_built_in_kinds() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(WaferError, ValueError)
    assert issubclass(MissingExtraError, ImportError)
