"""Trends: counts against a loop over the wafers, limits against the charts of the domain."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer, insert_wafer
from waferscope.domain.trends import build_ewma_chart, build_p_chart
from waferscope.service.parts import Parts
from waferscope.service.tables import Wafer
from waferscope.service.tables.row import now

FIRST = datetime(2026, 3, 2, 22, tzinfo=UTC)
LOTS = 8
PATTERNS = {"Scratch": 0.2, "Loc": 0.4}


@pytest.fixture
def wafers(house: Parts) -> list[dict[str, Any]]:
    """Lots of different sizes, tested over days; the sixth has a scratch on every wafer."""
    rng = np.random.default_rng(5)
    user = add_person(house, "annotator").id
    made = []
    with house.records.writing() as session:
        for lot in range(LOTS):
            for slot in range(int(rng.integers(4, 12))):
                labels = {name: "pattern" for name, p in PATTERNS.items() if rng.random() < p}
                labels |= {"scratch": "class"} if slot % 2 else {}
                if lot == 5:
                    labels |= {"Scratch": "pattern"}
                wafer: dict[str, Any] = {
                    "lot": f"L{lot}",
                    "product": f"P{lot % 2}",
                    "tested_at": FIRST + timedelta(hours=9 * lot, minutes=slot),
                    "labels": labels,
                }
                insert_wafer(session, user, **wafer)
                made.append(wafer)
        insert_wafer(session, user, lot="L0", product="P0")  # without a prediction: not counted
        gone = insert_wafer(session, user, lot="L0", product="P0", labels={"Loc": "pattern"})
        session.get_one(Wafer, gone).deleted_at = now()
    return made


def ask(client: TestClient, **params: object) -> dict[str, Any]:
    answer = client.get("/trends", params=params)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def tally(wafers: list[dict[str, Any]], label: str, by: str) -> dict[str, tuple[int, int]]:
    """Count and total of a label by lot name or day, by a loop."""
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for wafer in wafers:
        key = wafer["lot"] if by == "lot" else wafer["tested_at"].date().isoformat()
        total[key] += 1
        found[key] += label in wafer["labels"]
    return {key: (found[key], total[key]) for key in total}


@pytest.mark.parametrize("by", ["lot", "day"])
def test_counts_are_those_of_a_loop_and_limits_those_of_the_chart(
    people: People, wafers: list[dict[str, Any]], by: str
) -> None:
    shown = ask(people("viewer"), by=by)
    assert (shown["by"], shown["kind"], shown["chart"]) == (by, "pattern", "p")
    assert {one["label"] for one in shown["series"]} == set(PATTERNS)
    for series in shown["series"]:
        wanted = tally(wafers, series["label"], by)
        points = series["points"]
        assert {p["name"]: (p["count"], p["wafers"]) for p in points} == wanted
        assert [p["at"] for p in points] == sorted(p["at"] for p in points)
        chart = build_p_chart([p["count"] for p in points], [p["wafers"] for p in points])
        assert series["centre"] == pytest.approx(chart.centre)
        for name in ("rates", "values", "lower", "upper"):
            column = [p[name.removesuffix("s")] for p in points]
            assert column == pytest.approx(getattr(chart, name).tolist()), name
        assert [p["flagged"] == "above" for p in points] == chart.above.tolist()


def test_the_bad_lot_is_flagged_and_named(people: People, wafers: list[dict[str, Any]]) -> None:
    shown = ask(people("viewer"), label="Scratch", sigmas=2)
    (series,) = shown["series"]
    flagged = [p for p in series["points"] if p["flagged"]]
    assert [(p["name"], p["product"], p["flagged"]) for p in flagged] == [("L5", "P1", "above")]
    assert flagged[0]["group"].startswith("lot_")


def test_a_moving_average_over_a_baseline(people: People, wafers: list[dict[str, Any]]) -> None:
    until = FIRST + timedelta(hours=9 * 3)
    shown = ask(
        people("viewer"), label="Loc", chart="ewma", weight=0.4, baseline_until=until.isoformat()
    )
    points = shown["series"][0]["points"]
    chart = build_ewma_chart(
        [p["count"] for p in points], [p["wafers"] for p in points], weight=0.4, baseline=3
    )
    assert [p["value"] for p in points] == pytest.approx(chart.values.tolist())
    assert [p["upper"] for p in points] == pytest.approx(chart.upper.tolist())


def test_filters_and_the_newest_groups(people: People, wafers: list[dict[str, Any]]) -> None:
    viewer = people("viewer")
    shown = ask(viewer, product="P1", label="Loc")["series"][0]["points"]
    assert [p["name"] for p in shown] == ["L1", "L3", "L5", "L7"]
    shown = ask(viewer, groups=3, label="Loc")["series"][0]["points"]
    assert [p["name"] for p in shown] == ["L5", "L6", "L7"]
    since = FIRST + timedelta(hours=9 * 2)
    shown = ask(viewer, since=since.isoformat(), label="Loc")["series"][0]["points"]
    assert [p["name"] for p in shown] == [f"L{lot}" for lot in range(2, LOTS)]
    days = ask(viewer, by="day", groups=2, label="Loc")["series"][0]["points"]
    wanted = tally(wafers, "Loc", "day")
    assert {p["name"]: (p["count"], p["wafers"]) for p in days} == dict(sorted(wanted.items())[-2:])


def test_defect_classes_are_counted_apart(people: People, wafers: list[dict[str, Any]]) -> None:
    (series,) = ask(people("viewer"), kind="class")["series"]
    assert series["label"] == "scratch"
    wanted = tally(wafers, "scratch", "lot")
    assert {p["name"]: (p["count"], p["wafers"]) for p in series["points"]} == wanted


def test_a_label_that_was_never_found_has_a_chart_of_zeros(
    people: People, wafers: list[dict[str, Any]]
) -> None:
    (series,) = ask(people("viewer"), label="Donut")["series"]
    assert series["centre"] == 0
    assert {(p["count"], p["upper"], p["flagged"]) for p in series["points"]} == {(0, 0, None)}


def test_no_wafers_no_charts(people: People, house: Parts) -> None:
    viewer = people("viewer")
    assert ask(viewer)["series"] == []
    add_wafer(house, add_person(house, "annotator").id)  # not predicted
    assert ask(viewer, label="Loc")["series"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "week"},
        {"chart": "u"},
        {"groups": 501},
        {"weight": 0},
        {"sigmas": "nan"},
        {"since": "2026-03-02T00:00:00"},
        {"baseline_until": "2020-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_what_cannot_be_charted_is_refused(
    people: People, wafers: list[dict[str, Any]], wrong: dict[str, Any]
) -> None:
    answer = people("viewer").get("/trends", params=wrong)
    assert answer.status_code == 422, answer.text
