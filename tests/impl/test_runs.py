"""Runs against a plain list of what each place is."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from memoracle.impl.runs import Runs

MISSING, KEPT, FREE, USED = range(4)
PLACES = st.integers(-2, 42)
COUNTS = st.integers(-1, 9)


class AgainstAList(RuleBasedStateMachine):
    """The same calls on both; a call that the list refuses must be refused."""

    @initialize(places=st.integers(1, 40))
    def start(self, places: int) -> None:
        self.runs = Runs(places)
        self.list = [MISSING] * places

    def are(self, first: int, count: int, kind: int) -> bool:
        """Whether there are such places, and all are of this kind."""
        inside = count > 0 and first >= 0 and first + count <= len(self.list)
        return inside and self.list[first : first + count] == [kind] * count

    def become(self, first: int, count: int, kind: int) -> None:
        self.list[first : first + count] = [kind] * count

    @rule(first=PLACES, count=COUNTS, kind=st.sampled_from([FREE, FREE, FREE, KEPT]))
    def turn_up(self, first: int, count: int, kind: int) -> None:
        due = self.are(first, count, MISSING)
        assert (self.runs.add if kind == FREE else self.runs.add_never_free)(first, count) == due
        if due:
            self.become(first, count, kind)

    @rule(count=COUNTS, alignment=st.sampled_from([1, 1, 2, 4, 8, 3, 0, -2]), lowest=PLACES, below=PLACES)
    def allocate(self, count: int, alignment: int, lowest: int, below: int) -> None:
        places = range(len(self.list)) if alignment in (1, 2, 4, 8) else ()
        due = [
            p for p in places if p % alignment == 0 and lowest <= p and p + count <= below and self.are(p, count, FREE)
        ]
        found = self.runs.allocate(count, alignment, lowest, below)
        assert found == min(due, default=None)
        if found is not None:
            self.become(found, count, USED)

    @rule(first=PLACES, count=COUNTS)
    def reserve(self, first: int, count: int) -> None:
        due = self.are(first, count, FREE)
        assert self.runs.reserve(first, count) == due
        if due:
            self.become(first, count, USED)

    @rule(first=PLACES, count=COUNTS)
    def free(self, first: int, count: int) -> None:
        due = self.are(first, count, USED)
        assert self.runs.free(first, count) == due
        if due:
            self.become(first, count, FREE)

    @invariant()
    def same(self) -> None:
        places = range(-1, len(self.list) + 1)
        assert [self.runs.is_free(p) for p in places] == [self.are(p, 1, FREE) for p in places]
        assert [self.runs.exists(p) for p in places] == [
            0 <= p and not self.are(p, 1, MISSING) for p in places[:-1]
        ] + [False]
        assert self.runs.count() == self.list.count(FREE)

    @rule(lowest=PLACES, below=PLACES)
    def count_some(self, lowest: int, below: int) -> None:
        assert self.runs.count_within(lowest, below) == self.list[max(lowest, 0) : max(below, 0)].count(FREE)

    @invariant()
    def runs_are_whole(self) -> None:
        stretches = "".join("f" if kind == FREE else " " for kind in self.list).split()
        available = self.runs.available
        lengths = [length for p in range(len(self.list)) if (length := available.runs.length(p))]
        assert lengths == [len(each) for each in stretches]
        assert available.most() == max(lengths, default=0)


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_a_run_is_freed_in_parts_and_becomes_one_again() -> None:
    runs = Runs(16)
    assert runs.add(0, 16)
    assert runs.allocate(12, 4, 1, 16) == 4
    assert runs.free(6, 3)
    assert not runs.free(5, 2)
    assert runs.allocate(4, 1, 0, 16) == 0
    assert runs.free(4, 2)
    assert runs.free(9, 7)
    assert not runs.reserve(3, 2)
    assert runs.available.most() == 12


def test_memory_with_a_hole_is_no_run() -> None:
    runs = Runs(1 << 52)
    assert runs.add_never_free(0, 1)
    assert runs.add(1, 7)
    assert runs.add(9, (1 << 52) - 9)
    assert not runs.add(8, 2)
    assert runs.allocate(8, 1, 0, 1 << 52) == 9
    assert runs.add(8, 1)
    assert runs.reserve(1, 8)
    assert not runs.free(0, 2)
    assert runs.free(3, 14)
    assert runs.count() == (1 << 52) - 3
