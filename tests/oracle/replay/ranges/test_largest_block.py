"""Buddy ranges with a largest block: buddies of its order do not merge, and a larger one is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from misuses import Misuse
from run_events import CREATE, PAGE, allocate, at, free, listed, op, reserve, size
from run_events import no_run as no_block
from small_geometry import SMALL

from memoracle.diagnostics.levels import EXACT, LEVELS, Rules
from memoracle.impl.buddy import Buddy
from memoracle.replay.coverage import stakes_of
from memoracle.replay.dispatch import Replay
from memoracle.spec import buddy
from memoracle.trace.geometry import geometry_from

# Of a process 13 pages from page 3 on: roots of 1, 4, 4 and 4 pages. Of the kernel four of 4 pages.
LARGEST: dict[str, Any] = SMALL | {"process_range": {"start": 3 * PAGE, "pages": 13}, "range_max_order": 2}
REFUSED = {"error": "refused"}
WHOLE = ((0, 1, False), (1, 4, False), (5, 4, False), (9, 4, False))

CONFORMS = {
    "blocks of the largest order": [CREATE, listed(*WHOLE)],
    "the lowest of them": [CREATE, allocate(3, 1), allocate(1, 0), allocate(1, 5), allocate(4, 9), no_block(4)],
    "none is larger": [CREATE, no_block(5), no_block(8), no_block(1 << 70), reserve(5, 8, **REFUSED), allocate(4, 1)],
    "they do not merge": [CREATE, reserve(5, 4), reserve(9, 4), free(5, 4), free(9, 4), listed(*WHOLE)],
    "halves do": [CREATE, allocate(2, 1), allocate(2, 3), free(1, 2), free(3, 2), listed(*WHOLE)],
    "a size": [CREATE, allocate(3, 1), size(1, result=4), size(5, result=0)],
}
TOO_LARGE = "8 pages are more than the largest block has, 4"
WRONG = {
    "allocated larger": (
        [CREATE, allocate(8, 5)],
        "buddy.block-is-no-larger",
        "8 pages are more than the largest block",
    ),
    "reserved larger": (
        [CREATE, reserve(5, 8)],
        "buddy.block-is-no-larger",
        "8 pages are more than the largest block",
    ),
    "merged": ([CREATE, listed(*WHOLE[:2], (5, 8, False))], "buddy.lists-the-block", "but 4 pages are free there"),
    "lost": ([CREATE, allocate(4, 1), no_block(4)], "range.allocate.must-succeed", "it must succeed"),
    "freed larger": ([CREATE, reserve(5, 4), free(5, 8)], "buddy.block-is-allocated", "has 4 pages, not 8"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level, geometry=LARGEST)
    assert (report.status, report.broken, report.document["events"]) == (0, [], len(events))


@pytest.mark.parametrize(("events", "clause", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named(check: Callable[..., Any], events: list[Any], clause: str, message: str) -> None:
    report = check(events, geometry=LARGEST)
    assert report.broken == [(len(events) + 1, clause)]
    assert message in report.document["divergences"][0]["message"]


@pytest.mark.parametrize("pages", [4, 2])
def test_the_reference_takes_the_lowest_of_the_largest(check: Callable[..., Any], pages: int) -> None:
    (found,) = check([CREATE, allocate(pages, 9)], "--level", "exact", geometry=LARGEST).document["divergences"]
    assert (found["clause"], found["legal"]) == ("range.allocate.policy", at(1))


def test_what_may_be_given_is_counted_in_largest_blocks(check: Callable[..., Any]) -> None:
    (found,) = check([CREATE, no_block(3)], geometry=LARGEST).document["divergences"]
    assert found["legal"] == "any aligned 4 pages in 3 free blocks large enough"
    blocks = [(block["address"], block["pages"]) for block in found["before"]["blocks"]]
    assert blocks == [(at(0), 1), (at(1), 4), (at(5), 4), (at(9), 4)]


def test_reserved_pieces_are_blocks_too(check: Callable[..., Any]) -> None:
    reserved = LARGEST | {"kernel_reserved": [{"page": 0, "pages": 8}]}
    blocks = listed((0, 4, True), (4, 4, True), (8, 4, False), (12, 4, False), process=0)
    blocks["result"] = [[hex(0xFFFFFFFF00000000 + n * 4 * PAGE), 4, n < 2] for n in range(4)]
    assert check([blocks], geometry=reserved).broken == []


def test_what_is_left_beyond_the_largest_blocks_is_there(check: Callable[..., Any]) -> None:
    longer = LARGEST | {"process_range": {"start": 3 * PAGE, "pages": 16}}
    events = [
        CREATE,
        listed(*WHOLE, (13, 2, False), (15, 1, False)),
        allocate(2, 13),
        listed(*WHOLE, (13, 2, True), (15, 1, False)),
    ]
    assert check(events, "--level", "exact", geometry=longer).broken == []


def test_a_large_range_of_small_blocks_takes_no_memory(check: Callable[..., Any]) -> None:
    huge = LARGEST | {"process_range": {"start": 0, "pages": 1 << 26}, "range_max_order": 0}
    events = [CREATE, {"op": "range.list", "process": 1, "result": [["0x0", 1, False]]}]
    assert check(events, geometry=huge).broken == [(3, "buddy.lists-in-address-order")]


def test_without_a_buddy_system_there_is_none(check: Callable[..., Any]) -> None:
    for geometry in (LARGEST | {"range_allocator": "runs"}, LARGEST | {"range_max_order": 53}):
        report = check([CREATE], geometry=geometry)
        assert report.status == 2
        assert "range_max_order" in report.errors


ORDER, ROOTS = 2, 8
MANY = geometry_from(SMALL | {"process_range": {"start": 0, "pages": ROOTS << ORDER}, "range_max_order": ORDER})


def recorded(chance: random.Random, lowest: bool) -> list[dict[str, Any]]:
    """Eight buddy systems in a row, each of one largest block: the smallest block that fits in any of them is given."""
    roots, live, events = [Buddy(ORDER) for _ in range(ROOTS)], list[tuple[int, int]](), [CREATE]
    for _ in range(80):
        if live and chance.random() < 0.45:
            page, pages = live.pop(chance.randrange(len(live)))
            assert roots[page >> ORDER].free(page % (1 << ORDER), pages)
            events.append(op("range.free", address=hex(page * PAGE), pages=pages))
            continue
        pages = chance.randint(1, 5)
        fits = [(n, root) for n, root in enumerate(roots) if any(p >= pages and not t for _, p, t in root.blocks())]
        asked = op("range.allocate", pages=pages)
        if pages > 1 << ORDER or not fits:
            events.append(asked | {"error": "no block"})
            continue
        smallest = min(fits, key=lambda each: min(p for _, p, t in each[1].blocks() if p >= pages and not t))
        n, root = smallest if lowest else chance.choice(fits)
        page = root.allocate(pages)
        assert page is not None
        live.append(((n << ORDER) + page, pages))
        events.append(asked | {"result": hex(((n << ORDER) + page) * PAGE)})
    blocks = [
        ((n << ORDER) + page, pages, taken) for n, root in enumerate(roots) for page, pages, taken in root.blocks()
    ]
    return [*events, op("range.list", result=[[hex(page * PAGE), pages, taken] for page, pages, taken in blocks])]


@pytest.mark.parametrize("level", LEVELS)
def test_buddy_systems_in_a_row_conform(level: str) -> None:
    for seed in range(60):
        events = recorded(random.Random(seed), lowest=level == EXACT)
        found = list(Replay(Rules(MANY, level), "random").divergences(msgspec.json.encode(event) for event in events))
        assert found == [], seed


TOO_LARGE_CALLS = (
    Misuse("buddy.block-is-no-larger", (CREATE,), op("range.allocate", pages=5), at(5)),
    Misuse("buddy.block-is-no-larger", (CREATE,), op("range.reserve", address=at(5), pages=8)),
    Misuse("buddy.block-is-no-larger", (), {"op": "kernel_pages.allocate", "pages": 5}, at(0, 0)),
)


@pytest.mark.parametrize("misuse", TOO_LARGE_CALLS, ids=[misuse.op for misuse in TOO_LARGE_CALLS])
def test_a_call_for_more_is_refused_as_it_is_made(check: Callable[..., Any], misuse: Misuse) -> None:
    refused = check(misuse.fails(), geometry=LARGEST)
    assert (refused.status, refused.broken) == (0, [])
    assert misuse.clause not in refused.document["coverage"]["untested"].get(misuse.op, [])
    assert check(misuse.succeeds(), geometry=LARGEST).broken == [(misuse.line, misuse.clause)]
    ignored = LARGEST | {"misuse": {misuse.op: "ignore"}}
    assert check(misuse.succeeds(), geometry=ignored).broken == []


def test_without_a_largest_block_no_call_is_for_more() -> None:
    stakes = stakes_of(geometry_from(SMALL))
    assert all(buddy.block_is_no_larger not in (*stake.calls, *stake.answers) for stake in stakes.values())
