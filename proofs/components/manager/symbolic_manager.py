"""The manager on lawful components, in any state of any machine, and what it is compared by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import LawfulBitmap, LawfulPaging, SomeTables, Whole
from memoracle.proofs.components.manager.law import (
    MOST_DEPTH,
    PAGE_SHIFTS,
    any_points,
    proved,
    same_but_ghosts,
    unknown,
)
from memoracle.proofs.components.manager.range_models import LawfulSpaces, is_frame
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.containers import Map, Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import bitmap, manager_law, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Clause, Number, Operation, Truth, when

# What the proofs of the code need of the invariants; what is not taken as given makes them no weaker.
ALWAYS = (
    bitmap.free_frames_are_reached,
    bitmap.image_is_never_free,
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


class Reserved:
    """What a machine's range has reserved at start. Nothing asks after that, or else it may be anything."""


@cache
def attributes() -> frozenset[str]:
    """What a manager keeps, as its constructor makes it: of each the proofs say whether it changes."""
    return frozenset(vars(Manager(Machine(2, 1, 1, Layout(40, 0x0007_0406_0007_0406), 0, 0, 0))))


class Code:
    """A manager on lawful components, in any state that the law admits, of any machine.

    at, any_keys: the points at which states, and what containers have, are compared.
    kept: what no operation replaces, each attribute that is no container of the manager's own.
    """

    def __init__(self, run: Run, clauses: Sequence[Clause]) -> None:
        self.run, self.before, self.at = run, unknown(run), any_points(run)
        self.any_keys = [run.any_number(each) for each in ("frame", "kernel_page", "first")]
        run.assume_all(clauses, self.before)
        self.whole = Whole(run, self.before)
        self.bitmap, self.spaces = LawfulBitmap(self.whole), LawfulSpaces(self.whole)
        nothing: Any = lambda key: False  # noqa: E731
        self.given = Set(run, nothing, "frame")
        self.lengths, self.frame_at = Map(run, nothing, nothing), Map(run, nothing, nothing)
        self.becomes(self.before)
        self.kept = {
            "machine": machine_of(run, self.before),
            "page_shift": self.before.page_shift,
            "bitmap": self.bitmap,
            "spaces": self.spaces,
            "halves": object(),
            "paging": LawfulPaging(self.whole),
        }
        self.own = {"given": self.given, "lengths": self.lengths, "frame_at": self.frame_at}
        self.manager: Any = object.__new__(Manager)
        self.manager.__dict__.update(self.kept, **self.own)

    def becomes(self, s: law.Memory) -> None:
        """From here on it stands for this state, of the same machine."""
        self.whole.state, self.spaces.has = s, s.lives
        self.given.has, self.given.witnesses = (lambda frame: is_frame(frame) & (s.use(frame) == law.GIVEN)), []
        self.lengths.has, self.lengths.at = (lambda first: is_frame(first) & (s.block_at(first) != 0)), s.pages_at
        self.frame_at.has, self.frame_at.at = (lambda page: is_frame(page) & law.is_kernel_page(s, page)), s.frame_at

    def call(self, method: str, *arguments: Any) -> Any:
        return self.run.call(getattr(self.manager, method), *arguments)

    def succeeds(self, method: str, *arguments: object) -> bool:
        answer = self.call(method, *arguments)
        self.run.assert_goal("the answer is a truth", answer is True or answer is False)
        return answer is True

    def stands_for(self, due: law.Memory) -> None:
        """Claims that the manager's state is this one. Ghosts, which it does not keep, are those that are due."""
        parts = self.whole.state

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
        )
        same_but_ghosts(self.run, due, state, self.at, but=("free_below",))
        self._keeps_no_more_than(due)
        process = self.at.process
        self.run.assert_goal("whoever lives has a range", self.spaces.has(process) == due.lives(process))

    def _keeps_no_more_than(self, due: law.Memory) -> None:
        """Claims that each attribute is the object that it was, and each container has just what is due."""
        run, now = self.run, {name: value for name, value in vars(self.manager).items() if not is_method(name)}
        run.assert_goal("it has the attributes that its constructor makes", now.keys() == attributes())
        kept = {**self.kept, **self.own}
        for name in sorted(attributes()):
            run.assert_goal(f"{name} is the object that it was", name in kept and now.get(name) is kept[name])
        frame, page, first = self.any_keys
        given = is_frame(frame) & (due.use(frame) == law.GIVEN)
        run.assert_goal("it keeps each frame that was given, and no other", self.given.has(frame) == given)
        held = is_frame(page) & law.is_kernel_page(due, page)
        run.assert_goal("it keeps the frame of each kernel page, and of no other", self.frame_at.has(page) == held)
        begins = is_frame(first) & (due.block_at(first) != 0)
        run.assert_goal("it keeps the length of each block, and of no other", self.lengths.has(first) == begins)

    def allowed(self, operation: Operation, state: law.Memory, **values: Any) -> None:
        """Claims that the law allows an operation, for these values and any other points."""
        for clause in operation.guard:
            at = {**self.any_of(clause.points), **values}
            self.run.assert_goal(clause.says, clause(state, *(at[point] for point in clause.points)))

    def any_of(self, points: Sequence[str]) -> dict[str, Number]:
        """Any points of these kinds."""
        known = {"virtual": self.at.page, "table": self.at.frame, **vars(self.at)}
        return {point: known[point] if point in known else self.run.point(point) for point in points}


def machine_of(run: Run, s: law.Memory) -> Machine:
    """Any machine that such a state may be of."""
    depths = (run.number(f"{whose}_depth", 0, MOST_DEPTH) for whose in ("kernel", "process"))
    a_layout: Any = Layout
    a_machine: Any = Machine
    layout, level = a_layout(s.physical_bits, s.pat_register), PAGE_SHIFTS.index(s.page_shift) + 1
    machine: Machine = a_machine(s.reach, s.image, level, layout, s.kernel_start, *depths, Reserved())
    return machine


def is_method(name: str) -> bool:
    """Whether a manager has it from its class: a proof may put a step of a loop in its place."""
    return callable(getattr(Manager, name, None))


def refines(
    name: str, claim: str, given: Sequence[Clause] = ALWAYS
) -> Callable[[Callable[[Run, Code], None]], Obligation]:
    """Declares what follows to be the proof that a method's code is the law's."""

    def declare(check: Callable[[Run, Code], None]) -> Obligation:
        @proved(f"{name}.refines", "refinement", claim)
        def body(run: Run) -> None:
            check(run, Code(run, given))

        return body

    return declare


def with_tables(code: Code, state: law.Memory, came_or_went: Sequence[SomeTables] | None = None) -> law.Memory:
    """The state after the tables were taken, or given back, that the code took or gave; the law allows each."""
    for tables in code.whole.tables if came_or_went is None else came_or_went:
        code.run.assert_goal("the law allows each table's step", tables.allowed(state, code.at.frame))
        state = tables(state)
    return state
