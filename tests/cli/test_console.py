"""Printing: plain text stays plain, and names cannot steer the terminal."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.cli import console


@given(st.text())
def test_clean_text_has_no_control_characters_and_its_length(text: str) -> None:
    shown = console.clean(text)
    assert len(shown) == len(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in shown)
    assert all(a in (b, "?") for a, b in zip(shown, text, strict=True))


def test_printable_text_stays() -> None:
    assert console.clean("Lot 7 · 晶圆 [x] é") == "Lot 7 · 晶圆 [x] é"


def test_tables_show_markup_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table([("wafer", "left")], [["[red]W1[/red]"], ["a\x1b[2Jb"]], "2 wafers")
    out = capsys.readouterr().out
    assert "[red]W1[/red]" in out
    assert "a?[2Jb" in out
    assert out.rstrip().endswith("2 wafers")


def test_errors_and_warnings_are_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_error("Expected [x]\n  got y. " + "long " * 60)
    console.say_warning("skipped")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: Expected [x] got y.")
    assert lines[1] == "warning: skipped"


def test_lines_are_never_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    path = "a/" * 200
    console.print_line(path)
    assert capsys.readouterr().out == path + "\n"


def test_progress_is_silent_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress() as bar:
        task = bar.add_task("predict", total=None)
        bar.update(task, advance=1, total=3)
    assert capsys.readouterr() == ("", "")


def test_progress_is_one_plain_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_progress("asking a\x1b[2Jb")
    assert capsys.readouterr() == ("", "asking a?[2Jb\n")


def test_asides_are_plain_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_aside("a/" * 200 + "\x1b")
    assert capsys.readouterr() == ("", "a/" * 200 + "?\n")


def test_signs_are_those_that_the_encoding_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, signs in (("utf-8", "–⚠"), ("cp1252", "–!"), ("ascii", "-!")):
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert console.sign("–", "-") + console.sign("⚠", "!") == signs
