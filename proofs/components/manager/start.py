"""Proof that the manager's constructor starts as the law says, on components of its own.

The constructors of the components are replaced, since what they make is proved of each component: `boot` returns any
frames. The loop over the reserved pieces of the kernel's range is cut at its invariant: exactly the pages of the pieces
so far are taken. Assumed is that these pieces are free blocks of the range; other machines are refused
(`spec/geometry_limits.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

import z3

from memoracle.impl import manager as code
from memoracle.impl.boot import TOP, Record
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import SharedState
from memoracle.proofs.components.manager.law import (
    PAGE_SHIFTS,
    assert_same_but_ghosts,
    page_shift,
    proved,
    unknown_frames,
)
from memoracle.proofs.components.manager.range_models import LawfulBuddy
from memoracle.proofs.components.manager.symbolic_manager import attributes
from memoracle.proofs.components.paging.law import any_direct_end
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.loops import Iterates, cut
from memoracle.proofs.symbolic.values import Property, record_of
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import manager as law
from memoracle.spec import paging
from memoracle.spec.clauses import Number, Truth


class ReservedPieces(Unasked):
    """Stands in for the reserved pieces of the kernel's range, of any number: a first page and pages each.

    current: the piece that is to be fixed next; None after it was.  left: whether some were not read yet.
    """

    NOTES = ("current",)  # what the loop that goes through them has at hand

    def __init__(self, run: Run) -> None:
        self.run, self.left = run, True
        self.current: tuple[Number, Number] | None = None

    def __iter__(self) -> Iterator[tuple[Number, Number]]:
        while self.run.fresh_truth("one more piece is reserved"):
            self.current = self.run.point("first"), self.run.point("pages")
            yield self.current
            with self.run.reading_law():
                self.run.assert_goal("each piece is fixed", self.current is None)
            if self.current is not None:
                raise EndOfRunError
        self.left = False


class FixLoop:
    """The loop over the pieces. Invariant: exactly the pages of the pieces so far are taken.

    reserved: whether one of these pieces has a page.
    """

    points: ClassVar[Points] = {"taken": ("process", "kernel_page")}

    def __init__(self, shared: SharedState, booted: Callable[[Property], law.Memory], pieces: ReservedPieces) -> None:
        self.shared, self.booted, self.pieces, self.start = shared, booted, pieces, shared.state
        self.reserved: Property = lambda kernel_page: False

    def on_entry(self, run: Run, arguments: tuple[object, ...] = ()) -> Iterates:
        process, kernel_page = run.point("process"), run.point("kernel_page")
        due = (process == 0) & self.reserved(kernel_page)
        run.assert_goal("only what the pieces have is taken", self.shared.state.taken(process, kernel_page) == due)
        return Iterates()

    def havoc(self, run: Run) -> Truth:
        reserved = self.reserved = run.relation("reserved-so-far", "kernel_page")
        taken = self.booted(reserved).taken
        self.shared.state = replace(self.start, taken=taken)
        self.pieces.current = None
        return run.fresh_truth("it is fixed")

    def on_back_edge(self, run: Run, result: object) -> Iterates:
        assert self.pieces.current is not None
        before, (first, pages) = self.reserved, self.pieces.current
        self.reserved = lambda kernel_page: before(kernel_page) | law.among(kernel_page, first, pages)
        self.pieces.current = None
        return self.on_entry(run)

    def witnesses(self, result: Truth) -> list[object]:
        return [self.reserved, result]


class ComponentConstructors:
    """Stands in for the constructors of components.  calls: by name, the arguments of each call."""

    def __init__(self, run: Run, shared: SharedState) -> None:
        self.kernel = LawfulBuddy(shared, 0)
        self.calls: dict[str, list[tuple[object, ...]]] = {}
        for name in ("boot", "Spaces", "KernelHalf", "Paging"):
            run.replace(code, name, self.constructor(name))

    def constructor(self, name: str) -> object:
        """A constructor that records its arguments."""

        def make(*arguments: object) -> object:
            self.calls.setdefault(name, []).append(arguments)
            return SimpleNamespace(name=name, spaces=[self.kernel])

        return make


def all_identical(ones: Sequence[object], others: Sequence[object]) -> bool:
    """Whether these are the same objects."""
    return len(ones) == len(others) and all(one is other for one, other in zip(ones, others, strict=True))


def assert_shares_nothing(run: Run, manager: code.Manager, other: code.Manager) -> None:
    """Claims that a manager has the attributes that the proofs of its code compare, and shares none with another."""
    run.assert_goal("it has the attributes that proofs compare", vars(manager).keys() == attributes())
    containers: list[object] = [manager.given, manager.gets, manager.lengths, manager.frame_at]
    kinds = [type(each) for each in containers]
    run.assert_goal(
        "each container is of its kind, and empty", kinds == [set, dict, dict, dict] and not any(containers)
    )
    parts = [*containers, manager.bitmap, manager.spaces, manager.halves, manager.paging]
    theirs = [getattr(other, name) for name in attributes() if name not in ("machine", "page_shift")]
    distinct = len({id(each) for each in (*parts, *theirs)}) == len(parts) + len(theirs)
    run.assert_goal("its containers and components are all distinct, and another manager has others", distinct)


def memory_map(run: Run) -> object:
    """None, a memory map without records, or one that the manager cannot read, because only boot may."""
    if not run.decide(z3.Bool("there is a memory map")):
        return None
    return Unasked() if run.decide(z3.Bool("it has records")) else []


@proved(
    "machine.defaults", "refinement", "without a word about them a machine has no reserved pieces, and no direct map"
)
def machine_defaults(run: Run) -> None:
    machine = code.Machine(2, ((0, 1),), 1, Layout(40, 0), 0, 0, 0)
    run.assert_goal("no piece is reserved", machine.reserved == ())
    run.assert_goal("no page is one of a direct map", machine.direct_end <= machine.direct_start)


@proved("starts.refines", "refinement", "the code starts as the law says, on what boot makes of the memory map")
def starts_refines(run: Run) -> None:
    attributes()  # which constructs a manager, and so must run before the constructors are replaced
    frames, shift = unknown_frames(run), page_shift(run)
    direct = run.number("direct_start"), any_direct_end(run)
    mappings = paging.unmapped(
        shift, run.number("physical_bits"), run.number("pat_register"), frames.reach << shift, *direct
    )
    booted = partial(law.booted, frames, mappings, run.number("kernel_start"), run.number("kernel_range"))
    start = booted(lambda kernel_page: False)
    shared = SharedState(run, start)
    pieces = ReservedPieces(run)
    constructors, loop, level = (
        ComponentConstructors(run, shared),
        FixLoop(shared, booted, pieces),
        PAGE_SHIFTS.index(shift) + 1,
    )
    cut(run, constructors.kernel, "fix", lambda first, pages: loop)
    records = memory_map(run)
    layout = record_of(Layout, start.physical_bits, start.pat_register)
    depths = [run.number(f"{of}_depth") for of in ("kernel", "process")]
    never_free = Unasked()  # boot alone reads it
    sizes = start.reach, never_free, level, layout, start.kernel_start, *depths
    machine = record_of(code.Machine, *sizes, pieces, *direct)
    manager = run.call(code.Manager, machine, records)
    run.assert_goal("all that is reserved is fixed", not pieces.left)
    other = run.call(code.Manager, machine._replace(reserved=()), records)
    assert_shares_nothing(run, manager, other)
    run.assert_goal("it keeps its machine", manager.machine is machine and manager.page_shift == shift)
    (usable, *reach), _ = constructors.calls["boot"]
    everything = records is None and usable == [Record(0, TOP, 1)]
    run.assert_goal("boot reads the memory map, or one in which all is usable", usable is records or everything)
    run.assert_goal(
        "boot gets the machine's frames, and which are never free",
        all_identical(reach, [shift, start.reach, never_free]),
    )
    run.assert_goal("the ranges have the machine's depths", all_identical(constructors.calls["Spaces"][0], depths))
    run.assert_goal("the kernel half is constructed without arguments", constructors.calls["KernelHalf"][0] == ())
    built_on = (manager.bitmap, manager.halves, layout, level, start.reach, *direct)
    run.assert_goal(
        "page tables are built on the same frames and processes",
        all_identical(constructors.calls["Paging"][0], built_on),
    )
    names = [vars(each).get("name") for each in (manager.bitmap, manager.spaces, manager.halves, manager.paging)]
    run.assert_goal("each component is in its place", names == ["boot", "Spaces", "KernelHalf", "Paging"])
    run.assert_goal(
        "each is constructed once for each manager", all(len(calls) == 2 for calls in constructors.calls.values())
    )
    assert_same_but_ghosts(run, booted(loop.reserved), shared.state)
