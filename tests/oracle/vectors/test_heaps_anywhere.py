"""Golden vectors of heaps: other implementations pass, faulty ones fail."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from other_implementations import PAGE, RefusedError, failures

from memoracle.cover.reference_arena import ArenaBlocks
from memoracle.drive.target import Answer
from memoracle.replay.heap.live_blocks import LiveBlocks
from memoracle.spec import heap_room
from memoracle.trace.geometry import geometry_from
from memoracle.vectors import c
from memoracle.vectors.build import vectors_of
from memoracle.vectors.requirements import Block, in_arena
from memoracle.vectors.vector import REFUSAL, SUCCESS, Step, Vectors


def test_the_reference_of_an_arena_takes_the_lowest_place_that_is_large_enough() -> None:
    arena = {"start": 1 << 40, "bytes": 4 * 64, "overhead": 16, "minimum": 32}
    blocks = ArenaBlocks(geometry_from({"preset": "x64-4k", "heap_arena": arena, "heap_alignment": 16}))

    def new(size: int, **more: int) -> int | None:
        return blocks.call("heap.new", {"bytes": size, **more}).result

    first = [new(64) for _ in range(4)]
    gaps = [later - earlier for earlier, later in pairwise(first)]
    assert (gaps, new(1)) == ([64] * 3, None)
    for place in (first[1], first[2]):
        assert blocks.call("heap.delete", {"address": place}).error is None
    assert [new(129), new(1), new(1, alignment=64), new(32), new(33)] == [
        *(None, first[1], first[2], first[1] + 32, None),
    ]
    assert new(32) == first[2] + 32


@pytest.mark.parametrize("alignment", [1, 64])
def test_what_an_arena_must_serve_it_must_serve_wherever_its_blocks_lie(alignment: int) -> None:
    arena = {"start": 1 << 40, "bytes": 512, "overhead": 16, "minimum": 32}
    room = LiveBlocks(geometry_from({"preset": "x64-4k", "heap_arena": arena, "heap_alignment": 16})).room
    assert room is not None
    start, end = 1 << 40, (1 << 40) + 512
    for live, size in product((16, 32, 160), range(1, 513, 3)):
        places = range(start, end - max(live, 32) + 1)
        served = all(
            heap_room.gap_holds_it(room, size, alignment, start, place)
            or heap_room.gap_holds_it(room, size, alignment, place + max(live, 32), end)
            for place in places
        )
        due = REFUSAL if size > 512 - live else SUCCESS if served else None
        step = Step("heap.new", {"bytes": size}, Answer(), alignment=alignment)
        assert in_arena(room, step, [Block(live, max(live, 32), 16)]) == due, (live, size)


class Upwards:
    """A heap that never hands out the same bytes twice, far from where the reference's is."""

    def __init__(self) -> None:
        self.end, self.live = 1 << 40, set[int]()

    def heap_new(self, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        due = max(self.due(bytes), alignment)
        address = -(-self.end // due) * due
        self.end = address + bytes
        self.live.add(address)
        return address

    def due(self, size: int) -> int:
        return max(8, min(size & -size, PAGE))

    def heap_delete(self, address: int) -> None:
        if address and address not in self.live:
            raise RefusedError
        self.live.discard(address)


class Unaligned(Upwards):
    def due(self, size: int) -> int:
        return 8


class Overlapping(Upwards):
    def heap_new(self, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        address = super().heap_new(bytes, alignment)
        self.end = address + bytes // 2
        return address


class Careless(Upwards):
    def heap_delete(self, address: int) -> None:
        self.live.discard(address)


@pytest.mark.parametrize(
    ("heap", "says"),
    [
        (Upwards, None),
        (Unaligned, "is no multiple of 4096"),
        (Overlapping, "overlaps what is in use"),
        (Careless, "it must be refused"),
    ],
)
def test_of_a_heap(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap"], heap)
    assert (not found) if says is None else any(says in each for each in found)


class Resized(Upwards):
    """A block that is resized moves."""

    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        if address not in self.live:
            raise RefusedError
        self.live.discard(address)
        return self.heap_new(bytes, alignment)


class InPlace(Resized):
    """It takes a block to have room behind it, which is handed out next."""

    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        if address not in self.live or address % max(self.due(bytes), alignment):
            return super().heap_resize(address, bytes, alignment)
        return address


class AnyBlock(Resized):
    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        self.live.add(address)
        return super().heap_resize(address, bytes, alignment)


@pytest.mark.parametrize(
    ("heap", "says"), [(Resized, None), (InPlace, "overlaps what is in use"), (AnyBlock, "it must be refused")]
)
def test_of_a_heap_that_resizes(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap_resize"], heap)
    assert (not found) if says is None else any(says in each for each in found)


def test_what_is_resized_is_held_apart_from_the_rest_in_c_too(made: dict[str, Vectors]) -> None:
    """Of each function there stand how many arguments and results it has, and that a result is taken (1)."""
    text = c.written(made["heap_resize"])
    assert all(row in text for row in ('{"heap.new", 2, 1, 1}', '{"heap.resize", 3, 1, 1}', '{"heap.delete", 1, 0, 3}'))


class FromTheTop:
    """An arena of 16 KiB whose blocks lie as high as they can, each behind a header of 16 bytes."""

    start, end, header = 0xFFFF_8000_0000_1000, 0xFFFF_8000_0000_5000, 16
    fixed: int | None = None  # the alignment of all blocks

    def __init__(self) -> None:
        self.live = dict[int, int]()

    def heap_new(self, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        due = max(self.fixed or max(8, min(bytes & -bytes, PAGE)), alignment)
        top = self.end
        for address in (*sorted(self.live, reverse=True), self.start):
            behind = address + self.live.get(address, 0)
            place = (top - bytes) // due * due
            if place - self.header >= behind:
                self.live[place] = bytes
                return place
            top = address - self.header
        raise RefusedError

    def heap_delete(self, address: int) -> None:
        if address and self.live.pop(address, None) is None:
            raise RefusedError


class WithoutItsLastPage(FromTheTop):
    end = FromTheTop.end - PAGE


class PastItsEnd(FromTheTop):
    end = FromTheTop.end + PAGE


class Boundless(FromTheTop):
    start = FromTheTop.start - 4 * PAGE


@pytest.mark.parametrize(
    ("heap", "says"),
    [
        (FromTheTop, None),
        (WithoutItsLastPage, "it must succeed"),
        (PastItsEnd, "does not lie where it may"),
        (Boundless, "it must be refused"),
    ],
)
def test_of_a_heap_in_an_arena(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap_arena"], heap)
    assert (not found) if says is None else any(says in each for each in found)


class ResizedFromTheTop(FromTheTop):
    """Its blocks move where they have room beside what is live, or over where they were, if they become larger."""

    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        if address not in self.live:
            raise RefusedError
        due = max(self.fixed or max(8, min(bytes & -bytes, PAGE)), alignment)
        if bytes <= self.live[address] and address % due == 0:
            return self.stays(address, bytes)
        try:
            place = self.heap_new(bytes, alignment)
        except RefusedError:
            return self.over(address, bytes, alignment)
        del self.live[address]
        return place

    def stays(self, address: int, size: int) -> int:
        return address  # with all the room that it had

    def over(self, address: int, size: int, alignment: int) -> int:
        old = self.live.pop(address)
        try:
            return self.heap_new(size, alignment)
        except RefusedError:
            self.live[address] = old
            raise


class Divides(ResizedFromTheTop):
    def stays(self, address: int, size: int) -> int:
        self.live[address] = size
        return address


class NeverOver(ResizedFromTheTop):
    def over(self, address: int, size: int, alignment: int) -> int:
        raise RefusedError


class NeverSmaller(ResizedFromTheTop):
    def stays(self, address: int, size: int) -> int:
        raise RefusedError


class Spreads(ResizedFromTheTop):
    """A block becomes larger where it lies, whatever is there."""

    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        due = max(self.fixed or max(8, min(bytes & -bytes, PAGE)), alignment)
        if address in self.live and address % due == 0 and address + bytes <= self.end:
            return address
        return super().heap_resize(address, bytes, alignment)


class AnyInArena(ResizedFromTheTop):
    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        self.live.setdefault(address, 0)
        return super().heap_resize(address, bytes, alignment)


@pytest.mark.parametrize(
    ("heap", "says"),
    [
        (ResizedFromTheTop, None),
        (Divides, None),
        (NeverOver, None),
        (NeverSmaller, "it must succeed"),
        (Spreads, "overlaps what is in use"),
        (AnyInArena, "it must be refused"),
    ],
)
def test_of_a_heap_in_an_arena_that_resizes(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap_arena_resize"], heap)
    assert (not found) if says is None else any(f"heap.resize: {says}" in each or says in each for each in found)


def test_a_block_that_became_smaller_may_keep_its_room() -> None:
    arena = {"start": 1 << 40, "bytes": 512, "overhead": 0, "minimum": 0}
    room = LiveBlocks(geometry_from({"preset": "x64-4k", "heap_arena": arena, "heap_alignment": 16})).room
    assert room is not None

    def due(operation: str, size: int, block: Block, *, alignment: int = 16) -> str | None:
        step = Step(operation, {"bytes": size}, Answer(), alignment=alignment)
        return in_arena(room, step, [block], block if operation == "heap.resize" else None)

    small = Block(16, 400, 16)
    assert (due("heap.new", 16, small), due("heap.new", 16, Block(16, 16, 16))) == (SUCCESS, SUCCESS)
    assert (due("heap.new", 100, small), due("heap.new", 100, Block(16, 16, 16))) == (None, SUCCESS)
    assert (due("heap.new", 497, small), due("heap.resize", 497, small)) == (REFUSAL, None)
    assert (due("heap.resize", 513, small), due("heap.resize", 16, small)) == (REFUSAL, SUCCESS)
    # Where it lies is known to be a multiple of 16 alone; to be at one of 64 it may have to move.
    assert due("heap.resize", 16, Block(16, 500, 16), alignment=64) is None


def test_what_an_arena_must_serve_does_not_depend_on_where_blocks_lie(made: dict[str, Vectors]) -> None:
    asked: dict[int, set[str | None]] = {}
    for vector in made["heap_arena"].vectors:
        for step in vector.steps:
            if step.operation == "heap.new":
                asked.setdefault(step.arguments["bytes"], set()).add(step.requires)
    # All but the overhead must be served while nothing is live; beside a block it depends on where that is.
    assert asked[16384 - 16] == {"success", "refusal", None}
    assert asked[16384 + 1] == {"refusal"}
    assert asked[9] == {"success", None}


@pytest.mark.parametrize(
    "arena",
    [
        {"start": 0x1003, "bytes": 1000, "overhead": 8, "minimum": 16},
        {"start": 0, "bytes": 100, "overhead": 0, "minimum": 0},
        {"start": 4096, "bytes": 8, "overhead": 8, "minimum": 16},
    ],
)
@pytest.mark.parametrize("alignment", ["natural", 16])
def test_of_any_small_arena(arena: dict[str, int], alignment: str | int) -> None:
    stated = {"preset": "x64-4k", "heap_arena": arena, "heap_alignment": alignment}
    found = vectors_of("heap_arena", geometry_from(stated), stated)
    steps = [step for vector in found.vectors for step in vector.steps if step.operation == "heap.new"]
    assert {step.requires for step in steps} >= {"refusal"}
    assert any(step.requires == "success" for step in steps) == (arena["bytes"] > 8)
    own = {"start": arena["start"] or 1, "end": arena["start"] + arena["bytes"], "header": arena["overhead"]}
    fixed = None if alignment == "natural" else alignment
    assert failures(found, type("Heap", (FromTheTop,), {**own, "fixed": fixed})) == []
