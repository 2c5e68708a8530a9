"""What stands in for what the page tables are built on: the supply of frames, the PML4s, and who maps what.

Each does what the law of its component says, which that component's own proofs show of its code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memoracle.impl import paging as code
from memoracle.impl.pte import ENTRIES, Fields, Layout
from memoracle.proofs.symbolic.containers import Keyed, Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Property, Relation, Table
from memoracle.spec import pte
from memoracle.spec.clauses import Clause, Number, Truth, neg, when
from memoracle.spec.kernel_half import FIRST, process_has_64_bits


class Supply:
    """Frames for tables, as a bitmap hands them out: any free one, and none only if none is free.

    handed_out: how many.  ran_out: whether one was asked for that was not there.
    """

    def __init__(self, run: Run, is_free: Property) -> None:
        self.run, self.is_free, self.handed_out, self.ran_out = run, is_free, 0, False

    def allocate(self) -> Number | None:
        is_free = self.is_free
        if not self.run.fresh_truth("some frame is free"):
            self.ran_out = True
            self.run.assume_for_all(("table",), lambda table: neg(is_free(table)))
            return None
        frame = self.run.point("table")
        self.run.suppose(is_free(frame))
        self.handed_out += 1
        self.is_free = lambda table: is_free(table) & (table != frame)
        return frame

    def free(self, frame: Number) -> bool:
        is_free = self.is_free
        self.run.assert_and_assume("a frame that is given back is not free", neg(is_free(frame)))
        self.is_free = lambda table: is_free(table) | (table == frame)
        return True


class Half:
    """The PML4s of all processes while no update is in flight: a write to an upper entry reaches all of them."""

    def __init__(self, run: Run, lives: Property, top: Table) -> None:
        self.run, self.lives, self.top = run, lives, top

    @property
    def tables(self) -> Half:
        return self

    def __getitem__(self, process: Number) -> Pml4:
        self.run.assert_and_assume("a process whose PML4 is read lives", self.lives(process))
        return Pml4(self, process)

    def write(self, process: Number, index: Number, value: Number) -> bool:
        self.run.assert_and_assume("a process whose PML4 is written lives", self.lives(process))
        self.run.assert_and_assume("what is written is an entry", (0 <= index) & (index < 512) & pte.is_an_entry(value))
        top = self.top

        def reached(other: Number) -> Truth:
            return (other == process) | (FIRST <= index)

        self.top = lambda other, at: when(reached(other) & (at == index), value, top(other, at))
        return True

    def create(self, process: Number) -> bool:
        lives, top = self.lives, self.top
        new = neg(lives(process)) & process_has_64_bits(self, process)
        self.run.assert_and_assume("a new process does not live yet, and its number has 64 bits", new)

        def fresh(at: Any) -> Number:
            return when(at < FIRST, 0, top(0, at))

        self.top = lambda other, at: when(other == process, fresh(at), top(other, at))
        self.lives = lambda other: lives(other) | (other == process)
        return True

    def exit(self, process: Number) -> bool:
        lives = self.lives
        self.run.assert_and_assume("a process that exits lives and is not the kernel", lives(process) & (process != 0))
        self.lives = lambda other: lives(other) & (other != process)
        return True


class Pml4:
    """One process's entries."""

    def __init__(self, half: Half, process: Number) -> None:
        self.half, self.process = half, process

    def __getitem__(self, index: Number) -> Number:
        known = number(index)
        assert 0 <= known.low <= known.high < ENTRIES, "an index that is not known to lie in the table"
        return self.half.top(self.process, index)


class SetOf(Keyed):
    """A dictionary from processes to sets of pages."""

    def __init__(self, run: Run, has: Property, member: Relation) -> None:
        super().__init__(run, has)
        self.member = member
        self.witnesses: dict[int, list[Number]] = {}
        self.put: list[set[Any]] = []  # the sets that were put in

    def __getitem__(self, key: Number) -> Set:
        self._look_up(key)
        return OneSet(self, key)

    def __setitem__(self, key: Number, items: set[Any]) -> None:
        assert type(items) is set, "only a new set is put in"
        assert not items, "only a set is put in that has nothing in it"
        assert not any(items is other for other in self.put), "a set is put in once"
        self.put.append(items)
        self._put(key)
        others = self.member
        self.member = lambda other, item: others(other, item) & (other != key)

    def are_its_own(self) -> bool:
        """Whether nobody changed a set that was put in but through this dictionary."""
        return not any(self.put)


class OneSet(Set):
    """One of the sets of such a dictionary: what it has is what the dictionary has there, whoever wrote it."""

    def __init__(self, sets: SetOf, key: Number) -> None:
        witnesses = sets.witnesses.setdefault(number(key).z.get_id(), [])
        super().__init__(sets.run, lambda item: False, "page", witnesses=witnesses)
        self.sets, self.key = sets, key

    @property
    def has(self) -> Property:
        member, key = self.sets.member, self.key
        return lambda item: member(key, item)

    @has.setter
    def has(self, has: Property) -> None:
        others, key = self.sets.member, self.key
        self.sets.member = lambda other, item: when(other == key, has(item), others(other, item))


class Collected:
    """A list of numbers that a loop collects, of any length, in any order. times: how often it has a number."""

    def __init__(self, times: Callable[[Any], Any]) -> None:
        self.times = times

    def append(self, item: Number) -> None:
        before = self.times
        self.times = lambda other: before(other) + when(other == item, 1, 0)


def times(collected: Any, item: Number) -> Any:
    """How often a list has a number."""
    if isinstance(collected, Collected):
        return collected.times(item)
    return sum((when(item == each, 1, 0) for each in collected), number(0))


def encoding(run: Run) -> None:
    """Puts what the proofs of entries show in the place of `encode`."""

    def stand_in(layout: Layout, fields: Fields, level: int) -> Any:
        assert fields.leaf or level != pte.LOWEST_LEVEL, (
            "the code may refuse what the law allows: see `pte.MUST_SUCCEED_IF`"
        )
        with run.reading_law():
            state = pte.Entries(layout.physical_address_bits, layout.pat_register)
            asked = dict(zip(Fields._fields, fields, strict=True)) | {"level": level}
            may = all_hold(pte.ASKED, state, asked)
            value = run.fresh("value")
        if not run.fresh_truth("it can be encoded"):
            run.suppose(neg(may))
            return None
        run.suppose(may, all_hold(pte.ENCODED, state, asked | {"value": value}))
        return value

    run.replace(code, "encode", stand_in)


def all_hold(clauses: tuple[Clause, ...], state: Any, values: dict[str, Any]) -> Truth:
    """Whether every clause holds of these values."""
    holds: Truth = True
    for clause in clauses:
        holds = holds & clause(state, *(values[point] for point in clause.points))
    return holds
