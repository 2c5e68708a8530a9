"""What is left of a sequence when calls are left out, each with what depends on it, and numbers made smaller."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from blocks_binding import blocks
from hypothesis import given
from hypothesis import strategies as st

from memoracle.cli import main
from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.drive.failures import Failures
from memoracle.drive.requests import Repeated, Request, requests_of, without
from memoracle.drive.sessions import session
from memoracle.drive.sessions.session import Session, Wanted
from memoracle.drive.shrinking import asking, shortest, shrunk
from memoracle.drive.trial import Plan, Trial
from memoracle.report.check_report import TraceResult
from memoracle.spec.geometry import DEFAULT, preset
from memoracle.trace.inputs import InputError

TRACE = [
    b'{"op":"frame.allocate","result":4096}',
    b'{"op":"frame.allocate","result":8192}',
    b'{"op":"frame.free","address":4096}',
    b'{"op":"frame.allocate","result":4096}',
    b'{"op":"frame.free","address":4097}',
    b'{"op":"frame.free","address":99}',
    b'{"op":"frame.allocate","error":"none"}',
    b'{"op":"frame.free","address":8192,"crash":"signal 11"}',
]
LONG = 60  # seconds


def test_an_address_stands_for_the_call_that_gave_it_last() -> None:
    needs = [each.needs for each in requests_of(TRACE)]
    assert needs == [{}, {}, {"address": (0, 0)}, {}, {"address": (3, 1)}, {}, {}, {"address": (1, 0)}]


def test_an_address_of_one_process_is_not_another_ones() -> None:
    trace = [
        b'{"op":"range.allocate","process":1,"pages":1,"result":4096}',
        b'{"op":"range.allocate","process":2,"pages":2,"result":4096}',
        b'{"op":"range.free","process":1,"address":4096,"pages":1}',
        b'{"op":"range.free","process":3,"address":4096,"pages":1,"error":"refused"}',
    ]
    requests = requests_of(trace)
    assert [each.needs for each in requests] == [{}, {}, {"address": (0, 0)}, {}]
    assert [each.refused for each in requests] == [False, False, False, True]


def test_what_depends_on_a_call_goes_with_it() -> None:
    kept = without(requests_of(TRACE), {0, 6})
    assert [(each.operation, each.needs) for each in kept] == [
        ("frame.allocate", {}),
        ("frame.allocate", {}),
        ("frame.free", {"address": (1, 1)}),
        ("frame.free", {}),
        ("frame.free", {"address": (0, 0)}),
    ]


@given(st.sets(st.integers(0, 39), min_size=1, max_size=4))
def test_what_is_left_is_what_fails(needed: set[int]) -> None:
    requests = [Request("frame.is_free", {"address": place}, {}) for place in range(40)]

    def fails(some: Sequence[Request]) -> bool:
        return needed <= {each.arguments["address"] for each in some}

    assert {each.arguments["address"] for each in shortest(requests, fails, LONG)} == needed


def new(size: int) -> Request:
    return Request("heap.new", {"bytes": size}, {})


def delete(place: int) -> Request:
    return Request("heap.delete", {"address": place}, {"address": (place, 0)})


def sizes_tried(requests: Sequence[Request], fails: Callable[[Sequence[Request]], bool]) -> tuple[list[int], int]:
    """How many calls each candidate had, and how many were left."""
    tried: list[int] = []

    def noted(some: Sequence[Request]) -> bool:
        tried.append(len(some))
        return fails(some)

    return tried, len(shortest(requests, noted, LONG))


def test_a_block_goes_with_all_that_is_done_with_it() -> None:
    """Where what fails needs that nothing else is live, taking a stretch of calls out as such leaves blocks behind."""
    live = [new(7)] * 20
    requests = [*live, *(new(8) for _ in range(32)), *(delete(51 - place) for place in range(32)), new(9)]

    def fails(some: Sequence[Request]) -> bool:
        given = {place for place, each in enumerate(some) if each.operation == "heap.new"}
        return len(given - {each.needs["address"][0] for each in some if each.needs}) == 21

    tried, left = sizes_tried(requests, fails)
    assert left == 21
    assert tried[:7] == [1, 3, 7, 15, 17, 19, 21]  # all blocks that are freed go at once, with what frees them


def test_the_last_calls_come_first() -> None:
    """Of many calls a hundred make it fail, with the one that gave what they free: few are ever made again."""
    requests = [*(new(8) for _ in range(5000)), *([Request("x", {}, {})] * 99), delete(7)]
    tried, left = sizes_tried(requests, lambda some: len([each for each in some if each.operation == "x"]) > 50)
    assert tried[:7] == [2, 3, 5, 9, 17, 33, 65]
    assert max(tried) == 65
    assert left == 51


def test_so_do_those_about_the_same() -> None:
    """An entry that was written long ago is not what is read."""
    writes = [
        Request("pml4.write", {"process": 0, "index": 256 + place % 200, "value": place}, {}) for place in range(5000)
    ]
    requests = [*writes, Request("pml4.read", {"process": 1, "index": 300}, {})]

    def fails(some: Sequence[Request]) -> bool:
        return any(each.arguments.get("value") == 44 for each in some) and some[-1].operation == "pml4.read"

    tried, left = sizes_tried(requests, fails)
    assert left == 2
    assert max(tried) < 30


def test_what_was_refused_goes_at_once() -> None:
    refused = [Request("heap.delete", {"address": place}, {}, refused=True) for place in range(60)]
    requests = [each for pair in zip([new(1)] * 60, refused, strict=True) for each in pair] + [new(1)]
    tried, left = sizes_tried(requests, lambda some: sum(each.operation == "heap.new" for each in some) == 61)
    assert left == 61
    assert tried[tried.index(61) - 1] < 61 // 2  # nothing else was left out before
    assert len(tried) < 20  # of calls that are all alike any may go


@pytest.mark.parametrize(
    ("asked", "fails", "least"),
    [
        ({"bytes": 40_000}, lambda some: some["bytes"] >= 4081, {"bytes": 4081}),
        ({"bytes": 40_000}, lambda some: True, {"bytes": 1}),
        ({"bytes": 3}, lambda some: some["bytes"] >= 3, {"bytes": 3}),
        ({"order": 9}, lambda some: some["order"] >= 4, {"order": 4}),
        ({"order": 0}, lambda some: True, {"order": 0}),
        ({"count": 9, "alignment": 1 << 20}, lambda some: some["alignment"] > 4096, {"count": 1, "alignment": 8192}),
        ({"count": 7, "alignment": 24}, lambda some: some["alignment"] > 2, {"count": 1, "alignment": 3}),
        ({"pages": 0}, lambda some: some["pages"] == 0, {"pages": 0}),
        ({"pages": "many"}, lambda some: some["pages"] == "many", {"pages": "many"}),
    ],
)
def test_numbers_become_smaller(asked: dict[str, Any], fails: Callable[[Any], bool], least: dict[str, Any]) -> None:
    found = shortest([Request("x", asked, {})], lambda some: bool(some) and fails(some[0].arguments), LONG)
    assert [each.arguments for each in found] == [least]


def test_what_gives_a_block_back_says_the_same_size() -> None:
    taken = Request("frame.allocate", {"order": 3}, {})
    given_back = Request("frame.free", {"address": 0, "order": 3}, {"address": (0, 0)})
    half = Request("frame.free", {"address": 0, "order": 2}, {"address": (0, 0)})
    found = asking([taken, given_back, half, taken], 0, "order", 1)
    assert [each.arguments["order"] for each in found] == [1, 1, 2, 3]


def test_smaller_numbers_make_more_calls_superfluous() -> None:
    """Of two requests the second is needed only as long as the first asks for more than it must."""

    def fails(some: Sequence[Request]) -> bool:
        sizes = [each.arguments["bytes"] for each in some]
        return sizes[:1] == [7] or (len(sizes) == 2 and sizes[0] >= 7)

    assert shortest([new(100), new(5)], fails, LONG) == [new(7)]


def test_time_that_is_over_leaves_what_there_is() -> None:
    def fails(some: Sequence[Request]) -> bool:
        raise AssertionError("there is no time for it")

    left = shrunk([new(5), new(6)], fails, -1.0)
    assert (left.kept, left.is_cut_short) == ([new(5), new(6)], True)


def test_what_was_shrunk_to_its_end_is_not_cut_short() -> None:
    left = shrunk([new(5), new(6)], lambda some: len(some) > 0, LONG)
    assert (left.kept, left.is_cut_short) == ([new(1)], False)


CLAUSE = "heap.new.must-not-crash"
LINES = [b'{"memoracle":1}', *(b'{"op":"heap.new","bytes":1,"result":"%#x"}' % (64 * place) for place in range(4))]


class Slow:
    """A target that does not fail of fewer calls, but may be slow: while it is shrunk that looks like a failure."""

    def __init__(self, is_slow: bool) -> None:
        self.is_slow = is_slow
        self.patience: list[float | None] = []

    def run(self, make: partial[Repeated], patience: float | None = None) -> Trial:
        (requests,) = make.args
        self.patience.append(patience)
        if patience is not None and len(requests) == 1 and not self.is_slow:
            raise InputError("it", None, "it does not start: no answer within 1 seconds")
        fails = len(requests) == len(LINES) - 1 or (self.is_slow and patience is not None)
        return trial_of(LINES[: 1 + len(requests)], fails)


def unused(*given: Any) -> Any:
    raise AssertionError("nothing is run")


def trial_of(lines: list[bytes], fails: bool, clause: str = CLAUSE) -> Trial:
    result = TraceResult("<run>", "legal")
    if fails:
        finding = Finding(clause, "it says so", "it died", "it lives", {}, {})
        result.divergences.append(Divergence("<run>", len(lines), {"op": "heap.new"}, finding))
    return Trial(result, lines, len(lines) - 1, 0.0)


@pytest.mark.parametrize("is_slow", [True, False])
def test_what_is_reported_fails_by_the_same_rule(tmp_path: Path, is_slow: bool) -> None:
    """A call that was slow once, while less time was given to each, is no failure; nor is a start that was."""
    plan, failures = Plan("it", unused, ({"memoracle": 1},), unused), Failures(str(tmp_path / "it"))
    session: Any = Session(plan, preset(DEFAULT), failures, 1, Wanted(10), unused, unused)
    session.nursery = slow = Slow(is_slow)
    found = session.shrunk(trial_of(LINES, True))
    assert (found.clause, found.lines) == (CLAUSE, LINES)
    assert "shrunk from 4 calls to 4, kept in " in session.said
    assert session.fewer.document() == {"from": 4, "to": 4, "is_cut_short": False}
    ((_, kept),) = failures.kept()
    assert kept == LINES
    assert slow.patience[-1] is None  # the last look gives it all the time that a run has


def test_that_time_was_over_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoracle.drive.sessions.session.SHRINKING", -1.0)
    plan, failures = Plan("it", unused, ({"memoracle": 1},), unused), Failures(str(tmp_path / "it"))
    session: Any = Session(plan, preset(DEFAULT), failures, 1, Wanted(10), unused, unused)
    session.nursery = Slow(is_slow=False)
    session.shrunk(trial_of(LINES, True))
    assert "shrunk from 4 calls to 4 in the time there was (fewer may do), kept in " in session.said
    assert session.fewer.document() == {"from": 4, "to": 4, "is_cut_short": True}


class Otherwise:
    """A target that breaks another rule when it is asked less."""

    def run(self, make: partial[Repeated], patience: float | None = None) -> Trial:
        (requests,) = make.args
        clause = CLAUSE if len(requests) == len(LINES) - 1 else "heap.is-disjoint"
        return trial_of(LINES[: 1 + len(requests)], True, clause)


def test_what_breaks_another_rule_is_no_shorter_way(tmp_path: Path) -> None:
    plan, failures = Plan("it", unused, ({"memoracle": 1},), unused), Failures(str(tmp_path / "it"))
    session: Any = Session(plan, preset(DEFAULT), failures, 1, Wanted(10), unused, unused)
    session.nursery = Otherwise()
    found = session.shrunk(trial_of(LINES, True))
    assert (found.clause, found.lines) == (CLAUSE, LINES)


def test_what_cannot_be_kept_is_reported_all_the_same(tmp_path: Path) -> None:
    """A folder that the user may not write to, an image that is mounted to be read."""
    (tmp_path / "it.failures").write_text("a file, where the folder would be", encoding="utf-8")
    plan, failures = Plan("it", unused, ({"memoracle": 1},), unused), Failures(str(tmp_path / "it"))
    session: Any = Session(plan, preset(DEFAULT), failures, 1, Wanted(10), unused, unused)
    session.nursery = Otherwise()
    assert session.shrunk(trial_of(LINES, True)).clause == CLAUSE
    assert session.said.endswith(f"shrunk from 4 calls to 4, not kept: cannot write to {failures.folder}: File exists")
    assert failures.last is None


def test_a_kept_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "it.failures" / "one.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"one\.jsonl: cannot read: Is a directory"):
        Failures(str(tmp_path / "it")).kept()


def test_an_interrupt_while_it_is_shrunk_leaves_what_failed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    binding = str(blocks(tmp_path, "LOSES_A_HALF"))
    with monkeypatch.context() as patch:
        patch.setattr(session, "shrunk", interrupted)
        assert main(["drive", "--seed", "3", binding]) == 130
    out, errors = capsys.readouterr()
    [kept] = tmp_path.glob("*.failures/*.jsonl")
    lines = kept.read_text().splitlines()
    said, last = errors.splitlines()[-2:]
    assert out == ""
    assert last == "memoracle: interrupted"
    assert said.endswith(f" calls: kept in {kept}")
    assert " failed, and was being shrunk from " in said
    assert main(["drive", "--format", "json", binding]) == 1
    document = json.loads(capsys.readouterr().out)
    [shorter] = tmp_path.glob("*.failures/*.jsonl")
    left = len(shorter.read_text().splitlines())
    assert left < len(lines)
    assert [each["line"] for each in document["divergences"]] == [left]
    assert document["shrunk"] == {"from": len(lines) - 1, "to": left - 1, "is_cut_short": False}
    assert main(["drive", binding]) == 1
    again = " ".join(capsys.readouterr().out.split())
    assert "fails still; nothing new was tried" in again
    assert "shrunk" not in again
    assert [*tmp_path.glob("*.failures/*.jsonl")] == [shorter]
