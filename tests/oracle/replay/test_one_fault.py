"""One fault is named once: a wrong answer changes nothing, and is remembered (`--keep-going`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from misuses import ALLOWED, BOOT, CREATED, DECODED, FRAME, KERNEL, MAPPED, MISUSES, PAGE, SIX_TYPES, TAKEN, Misuse, op

from memoracle.trace import events as kinds

Event = dict[str, Any]
ALLOCATED = op("frame.allocate", result=2 * PAGE)
BLOCKS = [[0, 2, True], [2 * PAGE, 2, False], [4 * PAGE, 4, False], [8 * PAGE, 8, False]]
ENTRY = [0] * 512


class Question(NamedTuple):
    """wrong: answers that break a clause."""

    before: tuple[Event, ...]
    asked: Event
    right: Any
    wrong: tuple[Any, ...]

    def answered(self, answer: Any) -> Event:
        return self.asked | {"result": answer}


SPACE = (CREATED, TAKEN, MAPPED)
WRONG_BLOCKS = ([[0, 4, True], *BLOCKS[2:]], [[0, 2, True]], [[0, 16, False]])
QUESTIONS: dict[str, Question] = {
    "a free frame": Question((), op("frame.is_free", address=FRAME), True, (False,)),
    "an allocated frame": Question((ALLOCATED,), op("frame.is_free", address=2 * PAGE), False, (True,)),
    "a missing frame": Question((BOOT,), op("frame.is_free", address=15 * PAGE), False, (True,)),
    "the image": Question((), op("frame.is_free", address=0), False, (True,)),
    "a count": Question((ALLOCATED,), op("frame.free_count"), 13, (12, 14, 0, 1 << 60, -1)),
    "the size of a block": Question(SPACE, op("range.size", process=1, address=0), 2, (1, 0, 3, 16, -1)),
    "the size of no block": Question(SPACE, op("range.size", process=1, address=2 * PAGE), 0, (2, 1, 16)),
    "a list": Question(SPACE, op("range.list", process=1), BLOCKS, WRONG_BLOCKS),
    "a mapped page": Question(SPACE, op("page.translate", process=1, virtual=5), FRAME + 5, (None, PAGE, FRAME)),
    "no mapped page": Question(SPACE, op("page.translate", process=1, virtual=PAGE), None, (0x123, FRAME, 0)),
    "of the kernel": Question((), op("page.translate", virtual=hex(KERNEL - PAGE)), None, (FRAME,)),
    "attributes": Question(
        SPACE,
        op("page.attributes", process=1, virtual=5),
        ALLOWED,
        (None, ALLOWED | {"writable": False}, ALLOWED | {"cache": "uncacheable"}),
    ),
    "no attributes": Question(SPACE, op("page.attributes", process=1, virtual=PAGE), None, (ALLOWED,)),
    "an entry": Question((op("pml4.write", index=300, value=7),), op("pml4.read", index=300), 7, (0, 8, 1 << 64)),
    "an entry of a process": Question(
        (CREATED, op("pml4.write", process=1, index=9, value=7)), op("pml4.read", process=1, index=9), 7, (0, 6)
    ),
    "a table": Question((), op("pml4.dump"), ENTRY, ([1, *ENTRY[1:]], ENTRY[:5])),
    "the register": Question((), op("pat.register"), "0x0005040600010406", (6,)),
    "an index": Question((), op("pat.select", cache="write-back", low_half=True), 0, (1, 9)),
    "a type": Question((), op("pat.decode", index=0), "write-back", ("uncacheable",)),
    "an encoded entry": Question((), op("pte.encode", **SIX_TYPES, level=2), PAGE | 0x83, (PAGE, 0x83)),
    "a decoded entry": Question(
        (), op("pte.decode", value=PAGE | 0x83, level=2), DECODED | {"physical": PAGE}, (DECODED,)
    ),
}
each = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())


@each
def test_a_wrong_answer_changes_nothing(check: Callable[..., Any], question: Question) -> None:
    """The right answer stays the right one, and every other question is answered as before."""
    others = [other for other in QUESTIONS.values() if other.before == question.before]
    right = [*question.before, *(other.answered(other.right) for other in others)]
    assert check(right).broken == []
    for wrong in question.wrong:
        events = [*question.before, question.answered(wrong), *right[len(question.before) :]]
        broken = check(events, "--keep-going").broken
        assert [line for line, _ in broken] == [len(question.before) + 2]


@each
def test_the_same_wrong_answer_is_named_once(check: Callable[..., Any], question: Question) -> None:
    for wrong in question.wrong:
        events = [*question.before, *[question.answered(wrong)] * 3]
        report = check(events, "--keep-going")
        assert [line for line, _ in report.broken] == [len(question.before) + 2]


@each
def test_what_follows_is_held_to_what_the_trace_explains(check: Callable[..., Any], question: Question) -> None:
    """Operations that conform without the wrong answer conform with it."""
    follow = [
        *([ALLOCATED] if ALLOCATED not in question.before else []),
        op("frame.free", address=2 * PAGE),
        *([CREATED] if CREATED not in question.before else []),
        *([op("range.allocate", process=1, pages=2, result=2 * PAGE)]),
        op("page.map", process=1, virtual=PAGE, physical=5 * PAGE),
        op("page.unmap", process=1, virtual=PAGE),
        op("range.free", process=1, address=2 * PAGE, pages=2),
        op("pml4.write", index=301, value=5),
        op("process.exit", process=1),
        op("heap.new", bytes=8, result=hex(KERNEL + 64)),
    ]
    assert check([*question.before, *follow]).broken == []
    for wrong in question.wrong:
        events = [*question.before, question.answered(wrong), *follow]
        broken = check(events, "--keep-going").broken
        assert [line for line, _ in broken] == [len(question.before) + 2]


def test_every_question_is_in_it() -> None:
    asked = {question.asked["op"] for question in QUESTIONS.values()}
    assert asked == {kind.__struct_config__.tag for kind in kinds.QUERIES}


LEAKED = [op("frame.free_count", result=14 - taken - 1) for taken in range(6)]


def test_a_leaked_frame_is_one_fault(check: Callable[..., Any]) -> None:
    """Whatever happens afterwards, the count is less by one from then on."""
    taken = [op("frame.allocate", result=(2 + frame) * PAGE) for frame in range(5)]
    events = [LEAKED[0]]
    for frame, count in zip(taken, LEAKED[1:], strict=True):
        events += [frame, count]
    freed = [op("frame.free", address=2 * PAGE), LEAKED[4]]
    report = check([*events, *freed], "--keep-going")
    assert report.broken == [(2, "bitmap.tells-the-count")]
    second = op("frame.free_count", result=LEAKED[4]["result"] - 1)
    assert check([*events, *freed, second], "--keep-going").broken == [
        (2, "bitmap.tells-the-count"),
        (15, "bitmap.tells-the-count"),
    ]


def test_a_count_that_is_right_again_settles_it(check: Callable[..., Any]) -> None:
    wrong, right = op("frame.free_count", result=13), op("frame.free_count", result=14)
    assert check([wrong, right, wrong], "--keep-going").broken[0] == (2, "bitmap.tells-the-count")
    assert check([wrong, right, right], "--keep-going").broken == [(2, "bitmap.tells-the-count")]


DOUBTS: dict[str, tuple[list[Event], list[Event]]] = {
    "a frame that is said to be allocated is freed": (
        [op("frame.is_free", address=FRAME, result=False)],
        [op("frame.free", address=FRAME), op("frame.allocate", result=FRAME)],
    ),
    "a frame that is said to be free is not freed": (
        [op("frame.allocate", result=FRAME), op("frame.is_free", address=FRAME, result=True)],
        [op("frame.free", address=FRAME, error="it is free")],
    ),
    "a block that is said to be there is freed": (
        [CREATED, op("range.size", process=1, address=0, result=4)],
        [op("range.free", process=1, address=0, pages=4), op("range.size", process=1, address=0, result=0)],
    ),
    "a page that is said to be mapped is unmapped": (
        [op("page.translate", virtual=0, result=FRAME)],
        [op("page.unmap", virtual=0), op("page.translate", virtual=0, result=None)],
    ),
    "a page that is said not to be mapped is mapped": (
        [MAPPED | {"process": 0}, op("page.translate", virtual=0, result=None)],
        [MAPPED | {"process": 0, "physical": 5 * PAGE}, op("page.translate", virtual=0, result=5 * PAGE)],
    ),
    "none is left": ([op("frame.free_count", result=0)], [op("frame.allocate", error="none is left")]),
}


@pytest.mark.parametrize(("asked", "follow"), DOUBTS.values(), ids=DOUBTS.keys())
def test_what_agrees_with_a_wrong_answer_is_the_same_fault(
    check: Callable[..., Any], asked: list[Event], follow: list[Event]
) -> None:
    broken = check([*asked, *follow], "--keep-going").broken
    assert [line for line, _ in broken] == [len(asked) + 1]


def test_without_the_answer_it_is_a_fault_of_its_own(check: Callable[..., Any]) -> None:
    for asked, follow in DOUBTS.values():
        events = [event for event in asked if event["op"] not in ("range.size", "page.translate", "frame.free_count")]
        events = [event for event in events if event["op"] != "frame.is_free"]
        assert check([*events, *follow], "--keep-going").broken[0][0] == len(events) + 2


OF_NO_PROCESS = [misuse for misuse in MISUSES if misuse.clause == "kernel_half.process-lives"]
CHANGES = [
    misuse for misuse in OF_NO_PROCESS if misuse.op not in {kind.__struct_config__.tag for kind in kinds.QUERIES}
]


@pytest.mark.parametrize("misuse", CHANGES, ids=lambda misuse: misuse.op)
@pytest.mark.parametrize("later", OF_NO_PROCESS, ids=lambda misuse: misuse.op)
def test_a_process_that_does_not_exist_may_be_refused_although_it_was_not_before(
    check: Callable[..., Any], misuse: Misuse, later: Misuse
) -> None:
    refused = later.call | {"error": "no such process"}
    created = op("process.create", result=7)
    for follow in ([refused], [refused, refused, created], [created]):
        broken = check([misuse.call | {"result": misuse.result}, *follow], "--keep-going").broken
        assert broken == [(2, "kernel_half.process-lives")]


@pytest.mark.parametrize("misuse", CHANGES, ids=lambda misuse: misuse.op)
def test_one_that_is_created_since_may_not(check: Callable[..., Any], misuse: Misuse) -> None:
    events = [misuse.call | {"result": misuse.result}, op("process.create", result=7)]
    refused = op("range.size", process=7, address=0, error="no such process")
    again = op("process.create", result=7)
    broken = check([*events, refused, again], "--keep-going").broken
    assert broken == [
        (2, "kernel_half.process-lives"),
        (4, "range.size.must-succeed"),
        (5, "kernel_half.is-new"),
    ]


COUNTS = {count: op("frame.free_count", result=count) for count in range(6, 16)}
ONE_IS_FREE = [op("frame.is_free", address=frame * PAGE, result=True) for frame in range(16)]
NONE_IS_FREE = [op("frame.is_free", address=frame * PAGE, result=False) for frame in range(16)]


def test_a_frame_that_is_said_to_be_allocated_explains_the_count_before(check: Callable[..., Any]) -> None:
    """As many frames as the count was wrong by, and no more."""
    for leaked in (1, 2, 3):
        events = [COUNTS[14 - leaked], *NONE_IS_FREE[3 : 3 + leaked], COUNTS[14 - leaked]]
        report = check(events, "--keep-going")
        assert report.broken == [(2, "bitmap.tells-the-count")]
        more = check([*events, NONE_IS_FREE[9]], "--keep-going").broken
        assert more == [(2, "bitmap.tells-the-count"), (len(events) + 2, "bitmap.tells-whether-free")]
        less = check([*events, COUNTS[14 - leaked - 1]], "--keep-going").broken
        assert less == [(2, "bitmap.tells-the-count"), (len(events) + 2, "bitmap.tells-the-count")]
        opposite = check([COUNTS[14 - leaked], ONE_IS_FREE[0]], "--keep-going").broken
        assert opposite == [(2, "bitmap.tells-the-count"), (3, "bitmap.tells-whether-free")]


def test_a_frame_that_is_said_to_be_free_explains_the_count_before(check: Callable[..., Any]) -> None:
    taken = [op("frame.allocate", result=(2 + frame) * PAGE) for frame in range(5)]
    events = [*taken, COUNTS[11], ONE_IS_FREE[2], ONE_IS_FREE[3], COUNTS[11]]
    assert check(events, "--keep-going").broken == [(7, "bitmap.tells-the-count")]
    for more in (ONE_IS_FREE[4], NONE_IS_FREE[9], COUNTS[12]):
        assert [line for line, _ in check([*events, more], "--keep-going").broken] == [7, 11]


def test_a_count_that_comes_nearer_is_no_other_fault(check: Callable[..., Any]) -> None:
    assert [line for line, _ in check([COUNTS[11], COUNTS[13], COUNTS[14]], "--keep-going").broken] == [2]
    assert [line for line, _ in check([COUNTS[11], COUNTS[13], COUNTS[12]], "--keep-going").broken] == [2, 4]


def taken_from(first: int, count: int) -> list[Event]:
    return [op("frame.allocate", result=(first + frame) * PAGE) for frame in range(count)]


def test_a_frame_that_is_passed_over_is_named_once(check: Callable[..., Any]) -> None:
    """At level exact, whether one has leaked or several."""
    exact = ("--level", "exact", "--keep-going")
    for leaked in (1, 2, 3):
        events = [*taken_from(2 + leaked, 4), COUNTS[10 - leaked], NONE_IS_FREE[2]]
        assert check(events, *exact).broken == [(2, "frame.allocate.policy")]
        pages = op("kernel_pages.allocate", pages=1, frames=[10 * PAGE], result=hex(KERNEL + 2 * PAGE))
        skipped = [*events, pages]  # frames 6 to 9, too, or fewer
        assert check(skipped, *exact).broken == [(2, "frame.allocate.policy"), (8, "frame.allocate.policy")]
        counted = [COUNTS[14 - leaked], *taken_from(2 + leaked, 4)]
        assert check(counted, *exact).broken == [(2, "bitmap.tells-the-count")]
        freed = [op("frame.free", address=3 * PAGE + leaked * PAGE), *taken_from(12, 1)]
        assert [line for line, _ in check([*events, *freed], *exact).broken] == [2, 9]


def test_an_allocator_that_prefers_other_frames_is_named_each_time(check: Callable[..., Any]) -> None:
    highest = [op("frame.allocate", result=frame * PAGE) for frame in (15, 14, 13, 12)]
    report = check([*highest, COUNTS[10], COUNTS[9]], "--level", "exact", "--keep-going")
    assert [line for line, _ in report.broken] == [2, 3, 4, 5, 7]


TWICE = [CREATED, MAPPED, MAPPED | {"physical": 5 * PAGE, "writable": False}]
SHOWS = {
    "the first frame": (op("page.translate", process=1, virtual=7, result=FRAME + 7), True),
    "the second": (op("page.translate", process=1, virtual=7, result=5 * PAGE + 7), False),
    "what the first allows": (op("page.attributes", process=1, virtual=0, result=ALLOWED), True),
    "what the second does": (op("page.attributes", process=1, virtual=0, result=ALLOWED | {"writable": False}), False),
}


@pytest.mark.parametrize("asked", SHOWS, ids=SHOWS.keys())
def test_a_page_that_was_mapped_twice_may_show_either_frame(check: Callable[..., Any], asked: str) -> None:
    """But once it was said which, it is that one."""
    answer, is_first = SHOWS[asked]
    agreeing = [other for other, first in SHOWS.values() if first == is_first]
    assert check([*TWICE, answer, *agreeing], "--keep-going").broken == [(4, "paging.page-is-unmapped")]
    neither = op("page.translate", process=1, virtual=7, result=6 * PAGE + 7)
    assert [line for line, _ in check([*TWICE, neither], "--keep-going").broken] == [4, 5]
    if is_first:
        second = [other for other, first in SHOWS.values() if not first]
        assert [line for line, _ in check([*TWICE, answer, *second], "--keep-going").broken] == [4, 6, 7]
    again = [op("page.unmap", process=1, virtual=0), MAPPED | {"physical": 5 * PAGE, "writable": False}]
    broken = check([*TWICE, *again, answer], "--keep-going").broken
    assert [line for line, _ in broken] == ([4, 7] if is_first else [4])
