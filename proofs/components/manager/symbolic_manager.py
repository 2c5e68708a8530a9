"""A manager in any state of any machine, on stand-ins for its components, and what proofs claim of its state.

The law's state is in two places: what the components have is in the state that their stand-ins share; what the manager
has itself is in its containers. `assert_state` puts both together and compares all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import LawfulBitmap, LawfulPaging, SharedState, SomeTables
from memoracle.proofs.components.manager.law import (
    MOST_DEPTH,
    PAGE_SHIFTS,
    any_points,
    assert_same_but_ghosts,
    proved,
    unknown,
)
from memoracle.proofs.components.manager.range_models import LawfulSpaces, is_frame
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.containers import Map, Set, Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import record_of
from memoracle.proofs.symbolic.witnesses import WitnessingRun
from memoracle.spec import bitmap, manager_law, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Clause, Number, Operation, Truth, when

# The invariants that the proofs of the code assume: as few as they need.
ALWAYS = (
    bitmap.free_frames_are_reached,
    bitmap.never_free_frames_are_not_free,
    bitmap.only_existing_frames_are_free,
    law.free_frames_are_unused,
    law.only_memory_is_used,
    law.each_held_frame_has_its_page,
    law.each_kernel_page_has_its_frame,
    manager_law.kernel_blocks_are_disjoint,
    law.kernel_blocks_lie_in_the_range,
    law.kernel_pages_fit_their_block,
    paging.kernel_lives,
)


class Reserved(Unasked):
    """Stands in for what a machine has reserved of its frames and of its range, which only the constructor reads."""


@cache
def attributes() -> frozenset[str]:
    """The attributes that a manager's constructor makes. Each is compared after each call."""
    return frozenset(vars(Manager(Machine(2, ((0, 1),), 1, Layout(40, 0x0007_0406_0007_0406), 0, 0, 0))))


class SymbolicManager:
    """A manager of any machine, in any state that satisfies these invariants, on stand-ins for its components.

    before: that state.  at: the points at which states are compared.  any_keys: those at which containers are.
    own: the containers of the manager itself.  kept: its other attributes, which no operation replaces.
    """

    def __init__(self, run: Run, clauses: Sequence[Clause]) -> None:
        self.run, self.before, self.at = run, unknown(run), any_points(run)
        self.any_keys = [run.any_number(each) for each in ("frame", "kernel_page", "first")]
        run.assume_all(clauses, self.before)
        self.shared = SharedState(run, self.before)
        self.bitmap, self.spaces = LawfulBitmap(self.shared), LawfulSpaces(self.shared)
        nothing: Any = lambda key: False  # noqa: E731
        self.given, self.gets = Set(run, nothing, "frame"), Map(run, nothing, nothing)
        self.lengths, self.frame_at = Map(run, nothing, nothing), Map(run, nothing, nothing)
        self.set_state(self.before)
        self.kept = {
            "machine": machine_of(run, self.before),
            "page_shift": self.before.page_shift,
            "bitmap": self.bitmap,
            "spaces": self.spaces,
            "halves": object(),
            "paging": LawfulPaging(self.shared),
        }
        self.own = {"given": self.given, "gets": self.gets, "lengths": self.lengths, "frame_at": self.frame_at}
        self.manager: Any = object.__new__(Manager)
        self.manager.__dict__.update(self.kept, **self.own)

    def set_state(self, s: law.Memory) -> None:
        """Makes it stand for this state, of the same machine."""
        if isinstance(self.run, WitnessingRun):  # after a turn this is claimed to be the state
            self.run.claims.append(partial(self.assert_state, s))
            return
        self.shared.state, self.spaces.has = s, s.lives
        self.given.has, self.given.witnesses = (lambda frame: is_frame(frame) & (s.use(frame) == law.GIVEN)), []
        self.gets.has, self.gets.at = (lambda frame: is_frame(frame) & (s.gets(frame) != 0)), s.gets
        self.lengths.has, self.lengths.at = (lambda first: is_frame(first) & (s.block_at(first) != 0)), s.pages_at
        self.frame_at.has, self.frame_at.at = (lambda page: is_frame(page) & law.is_kernel_page(s, page)), s.frame_at

    def call(self, method: str, *arguments: object) -> Any:
        """Calls a method of the manager."""
        return self.run.call(getattr(self.manager, method), *arguments)

    def succeeds(self, method: str, *arguments: object) -> bool:
        """Calls a method that answers whether it did what was asked."""
        answer = self.call(method, *arguments)
        self.run.assert_goal("the answer is a truth", answer is True or answer is False)
        return answer is True

    def assert_state(self, due: law.Memory) -> None:
        """Claims that the manager stands for this state. Ghosts, which it does not keep, are those of this state."""
        parts = self.shared.state

        def held(frame: Number) -> Truth:
            page = due.page_of(frame)
            found: Truth = self.frame_at.has(page) & (self.frame_at.at(page) == frame)
            return found

        def use(frame: Number) -> Number:
            table = when(parts.use(frame) == law.TABLE, law.TABLE, law.UNUSED)
            found: Number = when(self.given.has(frame), law.GIVEN, when(held(frame), law.PAGES, table))
            return found

        state = replace(
            parts,
            use=use,
            block_at=lambda first: when(self.lengths.has(first), due.block_at(first), 0),
            pages_at=lambda first: when(self.lengths.has(first), self.lengths.at(first), 0),
            frame_at=self.frame_at.at,
            gets=lambda frame: when(self.gets.has(frame), self.gets.at(frame), 0),
        )
        assert_same_but_ghosts(self.run, due, state, self.at, but=("free_below",))
        self._assert_contents(due)
        process, spaces = self.at.process, self.spaces
        self.run.assert_goal("exactly the live processes have ranges", spaces.has(process) == due.lives(process))

    def _assert_contents(self, due: law.Memory) -> None:
        """Claims that each attribute is the object that it was, and that each container has the keys that it should."""
        run, now = self.run, {name: value for name, value in vars(self.manager).items() if not is_method(name)}
        run.assert_goal("it has the attributes that its constructor makes", now.keys() == attributes())
        kept = {**self.kept, **self.own}
        for name in sorted(attributes()):
            run.assert_goal(f"{name} is the object that it was", name in kept and now.get(name) is kept[name])
        frame, page, first = self.any_keys
        given = is_frame(frame) & (due.use(frame) == law.GIVEN)
        run.assert_goal("`given` has each frame that was given, and no other", self.given.has(frame) == given)
        got = is_frame(frame) & (due.gets(frame) != 0)
        run.assert_goal("`gets` has each frame of which a get is left, and no other", self.gets.has(frame) == got)
        held = is_frame(page) & law.is_kernel_page(due, page)
        run.assert_goal("`frame_at` has each kernel page, and no other", self.frame_at.has(page) == held)
        begins = is_frame(first) & (due.block_at(first) != 0)
        run.assert_goal("`lengths` has each block of kernel pages, and no other", self.lengths.has(first) == begins)

    def assert_allowed(self, operation: Operation, state: law.Memory, **values: Number) -> None:
        """Claims that an operation's guard holds of these arguments and choices, at any other points."""
        for clause in operation.guard:
            at = {**self.points_of(clause.points), **values}
            self.run.assert_goal(clause.says, clause(state, *(at[point] for point in clause.points)))

    def points_of(self, points: Sequence[str]) -> dict[str, Number]:
        """Any points of these kinds."""
        known = {"virtual": self.at.page, "table": self.at.frame, **vars(self.at)}
        return {point: known[point] if point in known else self.run.point(point) for point in points}


def machine_of(run: Run, s: law.Memory) -> Machine:
    """Any machine that may have this state."""
    depths = [run.number(f"{whose}_depth", 0, MOST_DEPTH) for whose in ("kernel", "process")]
    layout, level = record_of(Layout, s.physical_bits, s.pat_register), PAGE_SHIFTS.index(s.page_shift) + 1
    direct = s.direct_start, s.direct_end
    return record_of(Machine, s.reach, Reserved(), level, layout, s.kernel_start, *depths, Reserved(), *direct)


def is_method(name: str) -> bool:
    """Whether this names a method: a proof may have put a step of a loop in its place, as an attribute."""
    return callable(getattr(Manager, name, None))


def refines(
    name: str, claim: str, given: Sequence[Clause] = ALWAYS
) -> Callable[[Callable[[Run, SymbolicManager], None]], Obligation]:
    """Declares the function that follows to be the proof that a method's code does what the law says."""

    def declare(check: Callable[[Run, SymbolicManager], None]) -> Obligation:
        @proved(f"{name}.refines", "refinement", claim)
        def body(run: Run) -> None:
            check(run, SymbolicManager(run, given))

        return body

    return declare


def with_tables(
    symbolic: SymbolicManager, state: law.Memory, came_or_went: Sequence[SomeTables] | None = None
) -> law.Memory:
    """The state after tables were taken or given back; claims that the law allows each step.

    came_or_went: the tables; by default, all that the components took or gave back.
    """
    for tables in symbolic.shared.tables if came_or_went is None else came_or_went:
        symbolic.run.assert_goal("the law allows each table's step", tables.allowed(state, symbolic.at.frame))
        state = tables(state)
    return state
