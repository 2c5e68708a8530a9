"""The states of small ranges of addresses: the blocks that the kernel and some processes have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from memoracle.cover.family import NOBODY, Asks, Call, call, stretches
from memoracle.drive.calls import Wish
from memoracle.drive.extents import gives_all
from memoracle.drive.target import Answer
from memoracle.replay.frames.frame_requests import rounded
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import PARTIAL, RUNS

CREATE, EXIT = "process.create", "process.exit"
ALLOCATE, FREE, RESERVE, SIZE, LIST = "range.allocate", "range.free", "range.reserve", "range.size", "range.list"
OPERATIONS = (ALLOCATE, FREE, RESERVE, SIZE, LIST)
INSIDE = 8  # bytes from the start of a page to an address where none begins
Blocks: TypeAlias = frozenset[tuple[int, int]]  # first page, and how many


class Spaces(NamedTuple):
    """Of each process its number and its blocks; the kernel comes first, the others in the order of their blocks."""

    numbers: tuple[int, ...]
    blocks: tuple[Blocks, ...]


class RangeStates:
    """Calls on ranges of addresses.

    kernel: whether the kernel's range is covered.  processes: how many there are at the most, besides the kernel.
    sizes: that are asked for.
    """

    def __init__(
        self, asks: Asks, geometry: Geometry, kernel: bool, processes: int, sizes: Sequence[int] | None = None
    ) -> None:
        self.asks, self.geometry, self.kernel, self.processes = asks, geometry, kernel, processes
        self.size = geometry.page_size
        self.is_runs = geometry.range_allocator == RUNS
        self.gives_all = FREE in asks and gives_all(FREE, asks[FREE])
        self.may_cut = self.is_runs and geometry.range_free == PARTIAL
        self.parts = self.may_cut and not self.gives_all
        self.sizes = sizes
        of = ["the kernel's range"] if kernel else []
        self.name = " and ".join([*of, *([f"ranges of {processes} processes"] if processes > 1 else [])])
        self.name = self.name or "a process's range"
        self.start = Spaces((0,), (frozenset(),))

    def state(self, situation: Spaces) -> tuple[Blocks, ...]:
        return situation.blocks

    def words(self, state: tuple[Blocks, ...]) -> str:
        found = [f"pages {stretches(blocks)} in use" if blocks else "no page in use" for blocks in state]
        kernel, *processes = found
        said = [f"the kernel: {kernel}"] if self.kernel else []
        return "; ".join([*said, *(f"a process: {each}" for each in processes)]) or "no process"

    def calls(self, situation: Spaces) -> Sequence[Call]:
        found = dict.fromkeys(self._all_calls(situation))
        return list(found)

    def questions(self, situation: Spaces) -> Sequence[Call]:
        places = range(0 if self.kernel else 1, len(situation.numbers))
        return [call(LIST, place) for place in places] if LIST in self.asks else []

    def wish(self, situation: Spaces, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.process is not None and ("process" in self.asks[call.operation] or call.operation == EXIT):
            numbers = situation.numbers
            arguments["process"] = numbers[call.process] if call.process < len(numbers) else max(numbers) + NOBODY
        return call.operation, arguments

    def after(self, situation: Spaces, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Spaces:
        if answer.error is not None:
            return situation
        spaces = dict(zip(*situation, strict=True))
        process = arguments.get("process", 0)
        if operation == CREATE:
            spaces[answer.result] = frozenset()
        elif operation == EXIT:
            spaces.pop(process, None)
        elif operation == ALLOCATE:
            spaces[process] |= self._blocks(process, answer.result, self._taken(arguments["pages"]))
        elif operation == RESERVE:
            spaces[process] |= self._blocks(process, arguments["address"], arguments["pages"])
        elif operation == FREE:
            spaces[process] -= self._blocks(process, arguments["address"], self._taken(arguments["pages"]))
        first, *others = spaces.items()
        others.sort(key=lambda space: (sorted(space[1]), space[0]))
        numbers, blocks = zip(first, *others, strict=True)
        return Spaces(numbers, blocks)

    def _taken(self, pages: int) -> int:
        return pages if self.is_runs else rounded(pages)

    def _blocks(self, process: int, address: int, pages: int) -> Blocks:
        first = (address - self.geometry.range_of(process).start) // self.size
        return frozenset([(page, 1) for page in range(first, first + pages)] if self.parts else [(first, pages)])

    def _all_calls(self, situation: Spaces) -> Iterator[Call]:
        count = len(situation.numbers)
        for place in range(count):
            if place or self.kernel:
                yield from self._of_space(place, situation.blocks[place])
        if self.processes:
            yield from self._of_processes(count)

    def _of_processes(self, count: int) -> Iterator[Call]:
        if EXIT in self.asks:
            yield from (call(EXIT, process) for process in (0, count))  # the kernel's, and one that is not there
        if "process" in self.asks.get(ALLOCATE, ()):
            yield call(ALLOCATE, count, pages=1)
        if CREATE in self.asks and count <= self.processes:
            yield call(CREATE)
        if EXIT in self.asks:
            yield from (call(EXIT, process) for process in range(1, count))

    def _of_space(self, place: int, blocks: Blocks) -> Iterator[Call]:
        whole = self.geometry.range_of(place)
        asked = range(1, whole.pages + 1) if self.sizes is None else self.sizes
        if LIST in self.asks:
            yield call(LIST, place)
        at = [whole.start + page * self.size for page in range(whole.pages)]
        if SIZE in self.asks:
            yield from (call(SIZE, place, address=address) for address in at)
        if FREE in self.asks:
            yield from self._frees(place, whole.start, whole.pages, blocks)
        if ALLOCATE in self.asks:
            yield from (call(ALLOCATE, place, pages=pages) for pages in (0, whole.pages + 1, *asked))
            if "alignment" in self.asks[ALLOCATE] and asked:
                yield call(ALLOCATE, place, pages=asked[0], alignment=2 * self.size)
        if RESERVE in self.asks:
            yield call(RESERVE, place, address=at[-1] + INSIDE, pages=1)
            for pages in asked:
                if self.is_runs or pages & pages - 1 == 0:
                    yield from (call(RESERVE, place, address=address, pages=pages) for address in at)

    def _frees(self, place: int, start: int, pages: int, blocks: Blocks) -> Iterator[Call]:
        """At each page, of each block as it was given, too much and too little of it, and inside a page.

        What is not told how much gives back the block as it was given, and nothing where none begins, which is misuse
        unless the law lets parts of blocks be given back.
        """
        if self.gives_all:
            given = dict(blocks)
            inner = {page for first, count in blocks for page in range(first + 1, first + count) if self.may_cut}
            named = [(page, given.get(page, 1)) for page in range(pages) if page not in inner]
        else:
            named = [(page, 1) for page in range(pages)]
            for first, count in sorted(blocks):
                named += [(first, other) for other in (count, count - 1, count // 2, count + 1, 2 * count)]
        if self.parts and self.sizes is None:
            named += [(page, count) for page in range(pages) for count in range(1, pages + 1 - page)]
        for page, count in named:
            if count > 0:
                yield call(FREE, place, address=start + page * self.size, pages=count)
        for page, count in sorted(blocks) or [(0, 1)]:
            yield call(FREE, place, address=start + page * self.size + INSIDE, pages=count)
