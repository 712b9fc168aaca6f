"""Which part of an STDF file belongs to which wafer."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.one_wafer import said
from tests.io.stdf_file import prr, whole, wir, wrr
from waferscope.io import read
from waferscope.io.archive import Blob
from waferscope.io.stdf.records import scan_records
from waferscope.io.stdf.runs import Run, find_runs


def runs_of(*records: bytes) -> list[Run]:
    scan = scan_records(Blob("lot.stdf", "", io.BytesIO(whole(*records))))
    return find_runs(scan, scan.parts)


def indices(runs: list[Run]) -> list[tuple[str, list[int]]]:
    return [(run.wafer_id, run.index.tolist()) for run in runs]


def test_many_wafers_and_concurrent_heads() -> None:
    wafers = read(
        whole(
            wir(name="A", head=1),
            wir(name="B", head=2),
            prr(0, 0, head=1),
            prr(0, 0, head=2, flag=8),
            prr(1, 0, head=2),
            wrr(name="A", head=1),
            prr(2, 0, head=2),
            wrr(name="B", head=2),
            wir(name="", head=1),
            prr(5, 5, head=1),
            wrr(name="C", head=1),  # the name comes at the end
        )
    )
    assert [(w.wafer_id, w.dies.tolist()) for w in wafers] == [
        ("A", [[1]]),
        ("B", [[2, 1, 1]]),
        ("C", [[1]]),
    ]


def test_a_wafer_left_open_ends_where_the_next_begins() -> None:
    wafers = read(whole(wir(name="A"), prr(0, 0), wir(name="B"), prr(1, 1), prr(1, 2)))
    assert [w.die_count for w in wafers] == [1, 2]


def test_without_wafer_records_parts_are_grouped_by_head() -> None:
    (wafer,) = read(whole(prr(0, 0), prr(1, 0, flag=8)))
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, "no wafer records")
    two = read(whole(prr(0, 0, head=1), prr(0, 0, head=2, flag=8)))
    assert [(w.wafer_id, w.dies.tolist()) for w in two] == [("head 1", [[1]]), ("head 2", [[2]])]


def test_a_wrr_alone_ends_a_wafer() -> None:
    first, second = read(whole(prr(0, 0), wrr(name="A"), prr(1, 0), prr(2, 0), wrr(name="B")))
    assert (first.wafer_id, first.die_count) == ("A", 1)
    assert (second.wafer_id, second.die_count) == ("B", 2)
    assert said(first, "no WIR record")


def test_parts_after_the_last_wrr_are_not_lost() -> None:
    first, rest = read(whole(wir(name="A"), prr(0, 0), wrr(name="A"), prr(1, 0)))
    assert first.wafer_id == "A"
    assert said(rest, "outside every wafer record")


def test_a_second_run_of_some_dies_is_a_retest() -> None:
    first = (wir(name="A"), prr(0, 0, flag=8), prr(1, 0), wrr(name="A"))
    (wafer,) = read(whole(*first, wir(name="A"), prr(0, 0), wrr(name="A")))
    assert wafer.dies.tolist() == [[1, 1]]
    assert said(wafer, "second run of 1 of its dies")
    apart = read(whole(*first, *first))
    assert len(apart) == 2
    assert said(apart[1], "is named 'A' too")


def test_an_empty_wafer_has_no_parts() -> None:
    (run,) = runs_of(wir(name="A", start=7), wrr(name="A"))
    assert (run.wafer_id, run.head, run.started) == ("A", 1, 7)
    assert run.index.tolist() == run.notes == []
    assert runs_of() == []


def test_a_wrr_for_all_heads_ends_the_one_that_is_open() -> None:
    runs = runs_of(wir(name="A"), prr(0, 0), wrr(name="", head=255), wir(name="B"), prr(1, 0))
    assert indices(runs) == [("A", [0]), ("B", [1])]


def test_a_wafer_on_all_heads_has_the_parts_of_each() -> None:
    runs = runs_of(
        *(wir(name="A", head=255), prr(0, 0, head=1), prr(1, 0, head=2), wrr(name="A", head=255)),
        *(wir(name="B", head=1), prr(0, 0, head=1), wrr(name="B", head=1)),
    )
    assert indices(runs) == [("A", [0, 1]), ("B", [2])]


def test_on_one_head_the_head_of_a_part_does_not_matter() -> None:
    runs = runs_of(wir(name="A"), prr(0, 0, head=1), prr(1, 0, head=9), wrr(name="A"))
    assert indices(runs) == [("A", [0, 1])]


def test_the_name_at_the_beginning_goes_before_that_at_the_end() -> None:
    assert indices(runs_of(wir(name="A"), prr(0, 0), wrr(name="Z"))) == [("A", [0])]


def test_a_wafer_that_was_broken_off_goes_on() -> None:
    """The prober stopped after die 4, which was tested again when it went on."""
    dies = [prr(x, 0, flag=8 * (x == 4)) for x in range(9)]
    begun = (wir(name="A"), *dies[:5], wrr(name="A"))
    (wafer,) = read(whole(*begun, wir(name="A"), prr(4, 0), *dies[5:], wrr(name="A")))
    assert wafer.dies.tolist() == [[1] * 9]
    assert said(wafer, "a second run of 5 dies, 1 of them tested before, taken as the rest of it")


def test_wafer_records_of_two_site_groups_are_one_wafer() -> None:
    runs = runs_of(wir(name="A"), wir(name="A"), prr(0, 0), prr(1, 0), wrr(name="A"))
    assert indices(runs) == [("A", [0, 1])]
    assert runs[0].notes == []


def test_parts_of_a_second_run_come_after_the_first() -> None:
    runs = runs_of(
        *(wir(name="A"), prr(0, 0), prr(-1, -1), wrr(name="A")),
        *(wir(name="B"), prr(0, 0), wrr(name="B")),
        *(wir(name="A"), prr(-1, -1), prr(-1, -1), wrr(name="A")),
    )
    assert indices(runs) == [("A", [0, 1, 3, 4]), ("B", [2])]
    assert runs[0].notes == ["a second run of 1 of its dies taken as retests"]


def test_wafers_without_a_name_are_never_joined() -> None:
    nameless = (wir(name=""), prr(0, 0), prr(1, 0), wrr(name=""))
    again = (wir(name=""), prr(0, 0), wrr(name=""))
    assert indices(runs_of(*nameless, *again)) == [("", [0, 1]), ("", [2])]


def test_a_second_run_with_another_die_is_another_wafer() -> None:
    first = (wir(name="A"), prr(0, 0), prr(1, 0), prr(2, 0), wrr(name="A"))
    runs = runs_of(*first, wir(name="A"), prr(0, 0), prr(0, 1), wrr(name="A"))
    assert indices(runs) == [("A", [0, 1, 2]), ("A", [3, 4])]
    assert runs[1].notes == ["another wafer in this file is named 'A' too"]


Steps = list[tuple[str, int]]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["begin", "part", "part", "end"]), st.sampled_from([1, 2])))
)
def test_every_part_belongs_to_one_wafer_of_its_head(steps: Steps) -> None:
    records, parts, opened, expected = [], 0, dict[int, str](), dict[int, str]()
    for number, (step, head) in enumerate(steps):
        if step == "begin":
            opened[head] = f"W{number}"
            records.append(wir(name=opened[head], head=head))
        elif step == "end" and head in opened:
            records.append(wrr(name=opened.pop(head), head=head))
        elif step == "part":
            records.append(prr(parts, 0, head=head))
            if head in opened:
                expected[parts] = opened[head]
            parts += 1
    heads = {head for step, head in steps if step == "begin"}
    runs = runs_of(*records)
    found = {part: run.wafer_id for run in runs for part in run.index.tolist()}
    assert sorted(part for run in runs for part in run.index.tolist()) == [*range(parts)]
    if len(heads) == 2:
        assert {p: name for p, name in found.items() if name.startswith("W")} == expected
