"""The states of a few mappings: which frames some virtual pages of the kernel and of processes show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from memoracle.cover.family import NOBODY, Asks, Call, call
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import UPPER_HALF_START

CREATE, EXIT = "process.create", "process.exit"
MAP, UNMAP, TRANSLATE, ATTRIBUTES = "page.map", "page.unmap", "page.translate", "page.attributes"
FRAMES = 2  # that are shown
Shown: TypeAlias = tuple[int | None, ...]  # of each virtual page, the address of the frame, or None


class Mapped(NamedTuple):
    """upper: what all processes show.  numbers, lower: of each process, the kernel first."""

    upper: Shown
    numbers: tuple[int, ...]
    lower: tuple[Shown, ...]


class PageStates:
    """Calls on page tables. processes: how many there are at the most, besides the kernel.

    Where there are some, only these have a lower half that is covered.
    """

    def __init__(self, asks: Asks, geometry: Geometry, processes: int) -> None:
        self.asks, self.processes = asks, processes
        size = geometry.page_size
        last = max((end for _, end in geometry.never_free_frames), default=0)
        first = min(last, geometry.frames - FRAMES)
        self.physical = [max(first, 0) * size + frame * size for frame in range(FRAMES)]
        self.upper = (UPPER_HALF_START,)
        self.lower = (size, size << 9)  # of one table, and of another
        self.name = "mapped pages" + (f" of the kernel and {processes} processes" if processes else "")
        self.beyond = 1 << geometry.physical_address_bits
        self.start = Mapped((None,) * len(self.upper), (0,), ((None,) * len(self.lower),))
        self.size = size

    def state(self, situation: Mapped) -> tuple[Shown, tuple[Shown, ...]]:
        return situation.upper, situation.lower

    def words(self, state: tuple[Shown, tuple[Shown, ...]]) -> str:
        upper, lower = state
        shared = _said(self.upper, upper)
        own = [_said(self.lower, each) for each in lower]
        return "; ".join([f"all: {shared}", f"the kernel: {own[0]}", *(f"a process: {each}" for each in own[1:])])

    def calls(self, situation: Mapped) -> Sequence[Call]:
        return list(self._all_calls(len(situation.numbers)))

    def questions(self, situation: Mapped) -> Sequence[Call]:
        return [each for each in self._questions(range(len(situation.numbers))) if each.operation == TRANSLATE]

    def wish(self, situation: Mapped, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.process is not None and ("process" in self.asks[call.operation] or call.operation == EXIT):
            numbers = situation.numbers
            arguments["process"] = numbers[call.process] if call.process < len(numbers) else max(numbers) + NOBODY
        return call.operation, arguments

    def after(self, situation: Mapped, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Mapped:
        if answer.error is not None:
            return situation
        upper, numbers, lower = situation
        of, process = dict(zip(numbers, lower, strict=True)), arguments.get("process", 0)
        if operation == CREATE:
            of[answer.result] = (None,) * len(self.lower)
        elif operation == EXIT:
            of.pop(process, None)
        elif operation in (MAP, UNMAP):
            virtual, shown = arguments["virtual"], arguments.get("physical")
            upper = _with(self.upper, upper, virtual, shown)
            if process in of:
                of[process] = _with(self.lower, of[process], virtual, shown)
        first, *others = of.items()
        others.sort(key=lambda each: ([shown or 0 for shown in each[1]], each[0]))
        numbers, lower = zip(first, *others, strict=True)
        return Mapped(upper, numbers, lower)

    def _virtual(self, place: int) -> tuple[int, ...]:
        return (*self.upper, *(self.lower if place or not self.processes else ()))

    def _questions(self, places: range) -> Iterator[Call]:
        for place in places:
            for virtual in self._virtual(place):
                if TRANSLATE in self.asks:
                    yield call(TRANSLATE, place, virtual=virtual + self.size - 1)
                if ATTRIBUTES in self.asks:
                    yield call(ATTRIBUTES, place, virtual=virtual)

    def _all_calls(self, count: int) -> Iterator[Call]:
        """With addresses that no page begins at, are not canonical, or past the physical ones."""
        named = "process" in self.asks[MAP]
        places = range(count + 1) if named and self.processes else range(1)
        yield from self._questions(places)
        low, frame = self.upper[0], self.physical[0]
        for virtual, physical in ((low + 8, frame), (1 << 47, frame), (low, frame + 8), (low, self.beyond)):
            yield call(MAP, 0, virtual=virtual, physical=physical)
        if UNMAP in self.asks:
            yield call(UNMAP, 0, virtual=low + 8)
        if self.processes and EXIT in self.asks:
            yield from (call(EXIT, place) for place in (0, count))
        for place in places:
            for virtual in self._virtual(place):
                yield from (call(MAP, place, virtual=virtual, physical=physical) for physical in self.physical)
                if UNMAP in self.asks:
                    yield call(UNMAP, place, virtual=virtual)
        if self.processes and CREATE in self.asks and count <= self.processes:
            yield call(CREATE)
        if self.processes and EXIT in self.asks:
            yield from (call(EXIT, place) for place in range(1, count))


def _with(pages: Sequence[int], shown: Shown, virtual: int, physical: int | None) -> Shown:
    return tuple(physical if page == virtual else old for page, old in zip(pages, shown, strict=True))


def _said(pages: Sequence[int], shown: Shown) -> str:
    said = [f"{page:#x} shows {held:#x}" for page, held in zip(pages, shown, strict=True) if held is not None]
    return ", ".join(said) or "nothing is mapped"
