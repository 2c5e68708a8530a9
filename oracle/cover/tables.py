"""The states of a few top-level tables: which processes there are, and what some of their PML4 entries hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from memoracle.cover.family import NOBODY, Asks, Call, call
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.replay.pages.private_pml4_entries import OwnEntries
from memoracle.spec.geometry import Geometry
from memoracle.spec.kernel_half import ENTRIES, FIRST

CREATE, EXIT = "process.create", "process.exit"
READ, WRITE, DUMP = "pml4.read", "pml4.write", "pml4.dump"
OPERATIONS = (READ, WRITE, DUMP)
VALUES = (0, 0x7003)  # no entry, and one that links a table
Entries: TypeAlias = tuple[int, ...]


class Tables(NamedTuple):
    """upper: what the entries hold that all share.  numbers, lower: of each process, the kernel first."""

    upper: Entries
    numbers: tuple[int, ...]
    lower: tuple[Entries, ...]


class TableStates:
    """Calls on PML4 entries. processes: how many there are at the most, besides the kernel."""

    def __init__(self, asks: Asks, geometry: Geometry, processes: int) -> None:
        self.asks, self.processes = asks, processes
        self.names_process = any("process" in asks.get(operation, ()) for operation in OPERATIONS)
        own = OwnEntries(geometry).upper
        free = [index for index in range(FIRST, ENTRIES) if index not in own]
        self.upper = tuple(dict.fromkeys((free[0], free[-1]))) if free else ()
        self.lower = (FIRST - 1,)
        self.name = f"PML4 entries of the kernel and {processes} processes" if processes else "PML4 entries"
        self.start = Tables((0,) * len(self.upper), (0,), ((0,) * len(self.lower),))

    def state(self, situation: Tables) -> tuple[Entries, tuple[Entries, ...]]:
        return situation.upper, situation.lower

    def words(self, state: tuple[Entries, tuple[Entries, ...]]) -> str:
        upper, lower = state
        shared = ", ".join(f"entry {index} is {value:#x}" for index, value in zip(self.upper, upper, strict=True))
        own = ", ".join(f"{value:#x}" for each in lower for value in each)
        return f"{shared or 'no upper entry'}; entry {self.lower[0]} of the kernel and each process: {own}"

    def calls(self, situation: Tables) -> Sequence[Call]:
        return list(self._all_calls(len(situation.numbers)))

    def questions(self, situation: Tables) -> Sequence[Call]:
        return list(self._reads(range(len(situation.numbers))))

    def wish(self, situation: Tables, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.process is not None and ("process" in self.asks[call.operation] or call.operation == EXIT):
            numbers = situation.numbers
            arguments["process"] = numbers[call.process] if call.process < len(numbers) else max(numbers) + NOBODY
        return call.operation, arguments

    def after(self, situation: Tables, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Tables:
        if answer.error is not None:
            return situation
        upper, numbers, lower = situation
        of, process = dict(zip(numbers, lower, strict=True)), arguments.get("process", 0)
        if operation == CREATE:
            of[answer.result] = (0,) * len(self.lower)
        elif operation == EXIT:
            of.pop(process, None)
        elif operation == WRITE:
            index, value = arguments["index"], arguments["value"]
            upper = tuple(value if at == index else held for at, held in zip(self.upper, upper, strict=True))
            if process in of:
                of[process] = tuple(
                    value if at == index else held for at, held in zip(self.lower, of[process], strict=True)
                )
        first, *others = of.items()
        others.sort(key=lambda each: (each[1], each[0]))
        numbers, lower = zip(first, *others, strict=True)
        return Tables(upper, numbers, lower)

    def _reads(self, places: range) -> Iterator[Call]:
        for place in places if self.names_process else range(1):
            if DUMP in self.asks:
                yield call(DUMP, place)
            if READ in self.asks:
                yield from (call(READ, place, index=index) for index in (*self.lower, *self.upper))

    def _all_calls(self, count: int) -> Iterator[Call]:
        """With indices and values past either end, and of a process that is not there."""
        places = range(count + 1) if self.names_process else range(1)
        yield from self._reads(places)
        if READ in self.asks:
            yield call(READ, 0, index=ENTRIES)
        if self.processes and EXIT in self.asks:
            yield from (call(EXIT, place) for place in (0, count))
        if WRITE in self.asks:
            yield call(WRITE, 0, index=ENTRIES, value=0)
            for place in places:
                for index in (*self.lower, *self.upper):
                    yield from (call(WRITE, place, index=index, value=value) for value in VALUES)
        if self.processes and CREATE in self.asks and count <= self.processes:
            yield call(CREATE)
        if self.processes and EXIT in self.asks:
            yield from (call(EXIT, place) for place in range(1, count))
