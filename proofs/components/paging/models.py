"""Stand-ins for what the page tables' code is built on: the supply of frames, the PML4s, and the sets of mapped pages.

Those for other components do what the laws of these say; that the components' code does so is proved there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from memoracle.impl import paging as code
from memoracle.impl.pte import ENTRIES, Fields, Layout
from memoracle.proofs.components.paging.entries import is_a_processor
from memoracle.proofs.symbolic.containers import Keyed, Set, Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Function, Property, Relation, Table
from memoracle.spec import pte
from memoracle.spec.clauses import Clause, Number, Point, Truth, neg, when
from memoracle.spec.kernel_half import FIRST, process_has_64_bits


class FrameSupply:
    """Stands in for the bitmap that frames of tables come from: it hands out any free frame, and fails if none is free.

    handed_out: how many frames.  ran_out: whether a call failed.
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


class Halves(Unasked):
    """Stands in for the kernel half with no update in flight: a write to an upper entry reaches the PML4s of all."""

    def __init__(self, run: Run, lives: Property, top: Table) -> None:
        self.run, self.lives, self.top = run, lives, top

    @property
    def tables(self) -> Halves:
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

        def fresh(at: Number) -> Number:
            return when(at < FIRST, 0, top(0, at))

        self.top = lambda other, at: when(other == process, fresh(at), top(other, at))
        self.lives = lambda other: lives(other) | (other == process)
        return True

    def exit(self, process: Number) -> bool:
        lives = self.lives
        self.run.assert_and_assume("a process that exits lives and is not the kernel", lives(process) & (process != 0))
        self.lives = lambda other: lives(other) & (other != process)
        return True


class Pml4(Unasked):
    """Stands in for the PML4 of one process, which is only read."""

    def __init__(self, half: Halves, process: Number) -> None:
        self.half, self.process = half, process

    def __getitem__(self, index: Number) -> Number:
        known = number(index)
        assert 0 <= known.low <= known.high < ENTRIES, "an index that is not known to lie in the table"
        return self.half.top(self.process, index)


class PageSets(Keyed):
    """Stands in for the dictionary from processes to sets of pages.

    has: which processes have a set.  member: whether a process's set has a page.
    """

    def __init__(self, run: Run, has: Property, member: Relation) -> None:
        super().__init__(run, has)
        self.member = member
        self.witnesses: dict[int, list[Number]] = {}
        self.put: list[set[Number]] = []  # the sets that were put in

    def __getitem__(self, key: Number) -> Set:
        self._look_up(key)
        return PageSet(self, key)

    def __setitem__(self, key: Number, items: set[Number]) -> None:
        assert type(items) is set, "only a new set is put in"
        assert not items, "only an empty set is put in"
        assert not any(items is other for other in self.put), "a set is put in once"
        self.put.append(items)
        self._put(key)
        others = self.member
        self.member = lambda other, item: others(other, item) & (other != key)

    def are_its_own(self) -> bool:
        """Whether sets that were put in were changed through this dictionary only."""
        return not any(self.put)


class PageSet(Set):
    """Stands in for one of the sets of such a dictionary, in which its contents are kept."""

    def __init__(self, sets: PageSets, key: Number) -> None:
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


class CollectedList(Unasked):
    """Stands in for a list of numbers of any length and in any order. times: how often it has a number."""

    def __init__(self, times: Function) -> None:
        self.times = times

    def append(self, item: Number) -> None:
        before = self.times
        self.times = lambda other: before(other) + when(other == item, 1, 0)


Released: TypeAlias = "CollectedList | Sequence[Number]"  # by exit: the list that it starts with is a real one


def count_of(collected: Released, item: Number) -> Number:
    """How often a list has a number."""
    if isinstance(collected, CollectedList):
        return collected.times(item)
    count: Number = number(0)
    for each in collected:
        count = count + when(item == each, 1, 0)
    return count


def replace_encode(run: Run) -> None:
    """Puts a stand-in in the place of `encode` that does what `encode.refines` proves."""

    def stand_in(layout: Layout, fields: Fields, level: int) -> Number | None:
        assert fields.leaf or level != pte.LOWEST_LEVEL, (
            "here the code may fail although the law allows it: see `pte.MUST_SUCCEED_IF`"
        )
        with run.reading_law():
            state = pte.Entries(layout.physical_address_bits, layout.pat_register)
            run.assert_goal("it is encoded for a processor that there may be", is_a_processor(state))
            asked = dict(zip(Fields._fields, fields, strict=True)) | {"level": level}
            may = all_hold(pte.ASKED, state, asked)
            value = run.fresh("value")
        if not run.fresh_truth("it can be encoded"):
            run.suppose(neg(may))
            return None
        run.suppose(may, all_hold(pte.ENCODED, state, asked | {"value": value}))
        return value

    run.replace(code, "encode", stand_in)


def all_hold(clauses: tuple[Clause, ...], state: object, values: Mapping[str, Point]) -> Truth:
    """Whether every clause holds of these values."""
    holds: Truth = True
    for clause in clauses:
        holds = holds & clause(state, *(values[point] for point in clause.points))
    return holds
