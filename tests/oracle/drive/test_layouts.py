"""What depends on how all of memory looks: that is put there directly, with few of the calls that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from memoracle.drive.layouts import Layouts, filled, laid_out
from memoracle.drive.requests import Request, requests_of
from memoracle.drive.shrinking import shortest

LONG = 60.0  # seconds
PAGES = 64
TAKE, GIVE = "range.allocate", "range.free"


class Lowest:
    """An allocator that gives the lowest place: what it gave, by the call, and what is taken."""

    def __init__(self) -> None:
        self.gave: list[int | None] = []
        self.taken: dict[int, int] = {}

    def call(self, request: Request) -> int | None:
        found = None
        if request.operation == TAKE:
            pages = request.arguments["pages"]
            free = [all(not self.has(page + each) for each in range(pages)) for page in range(PAGES - pages + 1)]
            found = free.index(True) if True in free else None
            if found is not None:
                self.taken[found] = pages
        elif request.operation == GIVE:
            (place, added) = request.needs["address"]
            self.taken.pop(-1 if self.gave[place] is None else self.gave[place] + added, None)
        self.gave.append(found)
        return found

    def has(self, page: int) -> bool:
        return any(first <= page < first + pages for first, pages in self.taken.items())


def asked(requests: Sequence[Request]) -> Lowest:
    allocator = Lowest()
    for each in requests:
        allocator.call(each)
    return allocator


def long_run(seed: int, calls: int) -> list[Request]:
    random, allocator = Random(seed), Lowest()
    found, live = list[Request](), list[int]()
    for place in range(calls):
        if live and random.random() < 0.35:
            giver = live.pop(random.randrange(len(live)))
            found.append(Request(GIVE, {"address": found[giver].gave}, {"address": (giver, 0)}))
            allocator.call(found[-1])
            continue
        request = Request(TAKE, {"pages": random.randint(1, 6)}, {})
        gave = allocator.call(request)
        found.append(request._replace(gave=gave, refused=gave is None))
        live += [place] if gave is not None else []
    return found


def test_a_layout_with_holes_is_built_directly() -> None:
    requests = long_run(1, 600)
    due = asked(requests).taken
    assert len(due) > 8
    assert sum(due.values()) < PAGES
    directly = next(each for each in laid_out(requests) if asked(each).taken == due)
    assert len(directly) < 4 * len(due)


def test_memory_is_full_of_few_large_blocks() -> None:
    requests = [Request(TAKE, {"pages": pages}, {}, gave=gave) for pages, gave in ((8, 0), (1, 8), (3, 9), (3, 12))]
    requests += [Request(TAKE, {"pages": 1}, {}, gave=each) for each in range(15, PAGES)]
    requests += [Request(TAKE, {"pages": 1}, {}, refused=True)]

    def fails(some: Sequence[Request]) -> bool:
        return asked(some).gave[-1:] == [None]

    first, second = filled(requests)
    assert [each.arguments["pages"] for each in first] == [8] * 8 + [1]
    assert [each.arguments["pages"] for each in second] == [3] * 22 + [1]
    assert fails(first)
    assert len(shortest(requests, fails, LONG)) == 9


def test_a_free_of_a_part_leaves_the_rest_live() -> None:
    requests = [Request("frame.allocate", {"count": 2}, {}, gave=0), Request("frame.free", {}, {"address": (0, 4096)})]
    assert Layouts(requests).until == {0: 2}


def test_what_is_live_when() -> None:
    lines = [
        b'{"op":"process.create","result":1}',
        b'{"op":"range.allocate","process":1,"pages":1,"result":4096}',
        b'{"op":"range.allocate","process":1,"pages":1,"result":8192}',
        b'{"op":"range.free","process":1,"address":4096,"pages":1}',
        b'{"op":"heap.new","bytes":8,"result":64}',
        b'{"op":"heap.resize","address":64,"bytes":16,"result":128}',
        b'{"op":"heap.resize","address":128,"bytes":64,"error":"refused"}',
        b'{"op":"heap.delete","address":129,"error":"refused"}',
        b'{"op":"process.exit","process":1}',
        b'{"op":"heap.delete","address":128}',
    ]
    layouts = Layouts(requests_of(lines))
    assert layouts.until == {0: 8, 1: 3, 2: 8, 4: 5, 5: 9}
    assert layouts.live(3) == [0, 1, 2]
    assert layouts.live(9) == [5]
    assert layouts.fullest() == [0, 1, 2, 3, 3, 5, 6, 7, 8, 8, 8]
    least = layouts.put_directly(9, 9, by_address=True)
    assert [each.operation for each in least] == ["heap.new", "heap.resize", "heap.delete"]
    assert [each.needs for each in least] == [{}, {"address": (0, 0)}, {"address": (1, 0)}]
    until_exit = layouts.put_directly(8, 3, by_address=True)
    expected = ["process.create", TAKE, TAKE, GIVE, "heap.new", "heap.resize", "process.exit", "heap.delete"]
    assert [each.operation for each in until_exit] == expected


def test_what_was_recorded_is_asked_in_no_other_order() -> None:
    requests = long_run(2, 80)
    marked = [each._replace(arguments={**each.arguments, "_place": place}) for place, each in enumerate(requests)]
    tried = list[list[int]]()

    def fails(some: Sequence[Request]) -> bool:
        tried.append([each.arguments["_place"] for each in some])
        return len(some) > 40

    shortest(marked, fails, LONG, recorded=True)
    assert all(each == sorted(each) for each in tried)
    tried.clear()
    shortest(marked, fails, LONG)
    assert any(each != sorted(each) for each in tried)
