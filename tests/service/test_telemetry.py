"""Lines of log and figures."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from prometheus_client import generate_latest

from waferscope.service.telemetry import (
    MOST_CAUSES,
    MOST_FRAMES,
    Figures,
    brief,
    request_id,
    set_up_logging,
    start_request,
)


@pytest.fixture(autouse=True)
def as_before() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    start_request("none")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_the_id_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    start_request("order-1")
    structlog.get_logger().info("wafer read", dies=4)
    logging.getLogger("some.library").warning("told %s", "so")
    first, second = lines(capsys)
    assert (first["event"], first["dies"], first["request_id"]) == ("wafer read", 4, "order-1")
    assert (second["event"], second["level"]) == ("told so", "warning")
    assert second["request_id"] == "order-1"


def test_nobody_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    structlog.get_logger().info("x", name='evil\n{"event": "forged"}\x1b[2J')
    (line,) = lines(capsys)
    assert line["name"] == 'evil\n{"event": "forged"}\x1b[2J'


def test_what_is_less_severe_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("warning")
    structlog.get_logger().info("x")
    assert lines(capsys) == []


def test_an_error_brings_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError as error:
        structlog.get_logger().error("fault", exc_info=error)
    (line,) = lines(capsys)
    assert "ZeroDivisionError" in json.dumps(line["exception"])


def fail(depth: int = 0) -> None:
    password = "kelp-orbit-tannin-7"
    if depth:
        fail(depth - 1)
    raise ValueError(f"no such row{password[:0]}\nDETAIL: (kelp-orbit-tannin-7)")


def fail_again(times: int) -> None:
    try:
        fail_again(times - 1) if times else fail(50)
    except ValueError as error:
        raise ValueError("x" * 10_000) from error


@pytest.mark.parametrize("name", ["waferscope.service.errors", "uvicorn.error"])
def test_a_traceback_tells_places_and_no_values(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    set_up_logging()
    try:
        fail(2)
    except ValueError as error:
        structlog.get_logger(name).error("fault", exc_info=error)
        logging.getLogger(name).error("fault", exc_info=error)
    text = capsys.readouterr().err
    assert "kelp" not in text
    for line in text.splitlines():
        (told,) = json.loads(line)["exception"]
        assert (told["exc_type"], told["exc_value"]) == ("ValueError", "no such row")
        assert [frame.split()[-1] for frame in told["frames"][-3:]] == ["fail"] * 3
        assert __file__ in told["frames"][-1]


def test_a_long_chain_of_errors_is_a_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    try:
        fail_again(20)
    except ValueError as error:
        structlog.get_logger().error("fault", exc_info=error)
    (line,) = lines(capsys)
    told = line["exception"]
    assert isinstance(told, list)
    assert len(told) == MOST_CAUSES
    assert max(len(one["frames"]) for one in told) <= MOST_FRAMES
    assert len(json.dumps(line)) < 16_000


def test_of_a_group_the_first_error_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    group = ExceptionGroup("two", [ValueError("first"), KeyError("second")])
    structlog.get_logger().error("fault", exc_info=group)
    (line,) = lines(capsys)
    assert isinstance(line["exception"], list)
    assert [one["exc_value"] for one in line["exception"]] == ["two (2 sub-exceptions)", "first"]


def test_an_error_that_cannot_be_told_does_no_harm() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError("no words")

    assert "no words" in brief(SilentError())


@pytest.mark.parametrize("given", ["order-1", "a" * 64, "A.b_c-9"])
def test_a_sound_id_is_kept(given: str) -> None:
    assert start_request(given) == request_id() == given


@pytest.mark.parametrize("given", [None, "", "a" * 65, "a b", "a\nb", "ä", "<script>"])
def test_any_other_id_is_made_anew(given: str | None) -> None:
    made = start_request(given)
    assert made != given
    assert len(made) == 16


def test_figures_of_two_apps_are_apart() -> None:
    one, other = Figures(), Figures()
    one.predictions.labels("edge", "0.1").inc(3)
    one.batch_sizes.observe(3)
    text = generate_latest(one.registry).decode()
    assert 'waferscope_predictions_total{label="edge",model="0.1"} 3.0' in text
    assert 'waferscope_batch_wafers_bucket{le="4.0"} 1.0' in text
    assert "edge" not in generate_latest(other.registry).decode()
