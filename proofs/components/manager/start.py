"""Proof of how the manager's code starts: on components that have just been made, each of which its own proofs are of.

It is of machines whose reserved pieces are free blocks of the kernel's range, as spec/geometry.py sees to.
What boot makes of a memory map is any frames (boot's proof says which), and what has been fixed of the kernel's range
when the loop over its reserved pieces ends is what those pieces have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import z3

from memoracle.impl import manager as code
from memoracle.impl.boot import TOP, Record
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import Whole
from memoracle.proofs.components.manager.law import PAGE_SHIFTS, page_shift, proved, same_but_ghosts, unknown_frames
from memoracle.proofs.components.manager.range_models import LawfulBuddy
from memoracle.proofs.components.manager.symbolic_manager import attributes
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.loops import Iterates, cut
from memoracle.spec import manager as law
from memoracle.spec import paging
from memoracle.spec.clauses import Number, Truth


class Pieces:
    """The reserved pieces of the kernel's range, any number of them: a first page and pages each.

    at_hand: the piece that is to be fixed; None once it was.  left: whether there are pieces that nothing asked for.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.left = run, True
        self.at_hand: tuple[Number, Number] | None = None

    def __iter__(self) -> Iterator[tuple[Number, Number]]:
        while self.run.fresh_truth("one more piece is reserved"):
            self.at_hand = self.run.point("first"), self.run.point("pages")
            yield self.at_hand
            with self.run.reading_law():
                self.run.assert_goal("each piece is fixed", self.at_hand is None)
            if self.at_hand is not None:
                raise EndOfRunError
        self.left = False


class Fixing:
    """The loop over the pieces: what those before have is taken, and nothing else.

    reserved: of a page, whether one of them has it.
    """

    def __init__(self, whole: Whole, booted: Callable[[Any], law.Memory], pieces: Pieces) -> None:
        self.whole, self.booted, self.pieces = whole, booted, pieces
        self.reserved: Any = lambda kernel_page: False

    varies = ("first", "pages")

    def on_entry(self, run: Run, arguments: tuple[Any, ...] = ()) -> Iterates:
        process, kernel_page = run.point("process"), run.point("kernel_page")
        due = (process == 0) & self.reserved(kernel_page)
        run.assert_goal("only what the pieces have is taken", self.whole.state.taken(process, kernel_page) == due)
        return Iterates()

    def havoc(self, run: Run) -> Truth:
        reserved = self.reserved = run.relation("reserved-so-far", "kernel_page")
        taken = self.booted(reserved).taken
        self.whole.state = replace(self.whole.state, taken=taken)
        self.pieces.at_hand = None
        return run.fresh_truth("it is fixed")

    def on_back_edge(self, run: Run, result: Any) -> Iterates:
        assert self.pieces.at_hand is not None
        before, (first, pages) = self.reserved, self.pieces.at_hand
        self.reserved = lambda kernel_page: before(kernel_page) | law.among(kernel_page, first, pages)
        return self.on_entry(run)


class Made:
    """Components that have just been made, and of what: of each, one call of its constructor for each manager."""

    def __init__(self, run: Run, whole: Whole) -> None:
        self.kernel = LawfulBuddy(whole, 0)
        self.of: dict[str, list[tuple[object, ...]]] = {}
        for name in ("boot", "Spaces", "KernelHalf", "Paging"):
            run.replace(code, name, self.maker(name))

    def maker(self, name: str) -> object:
        def make(*arguments: object) -> object:
            self.of.setdefault(name, []).append(arguments)
            return SimpleNamespace(name=name, spaces=[self.kernel])

        return make


def same(ones: Sequence[object], others: Sequence[object]) -> bool:
    """Whether these are the same objects."""
    return len(ones) == len(others) and all(one is other for one, other in zip(ones, others, strict=True))


def has_its_own(run: Run, manager: code.Manager, other: code.Manager) -> None:
    """Claims that a manager keeps what the proofs of its code take it to keep, and shares none of it with another."""
    run.assert_goal("it has the attributes of which the proofs speak", vars(manager).keys() == attributes())
    containers: list[object] = [manager.given, manager.lengths, manager.frame_at]
    kinds = [type(each) for each in containers]
    run.assert_goal("each container is of its kind, and empty", kinds == [set, dict, dict] and not any(containers))
    parts = [*containers, manager.bitmap, manager.spaces, manager.halves, manager.paging]
    theirs = [getattr(other, name) for name in attributes() if name not in ("machine", "page_shift")]
    distinct = len({id(each) for each in (*parts, *theirs)}) == len(parts) + len(theirs)
    run.assert_goal("containers and components are its own, and another manager has others", distinct)


def memory_map(run: Run) -> Any:
    """None, a memory map without records, or one of which nothing may be asked: boot alone reads it."""
    if not run.decide(z3.Bool("there is a memory map")):
        return None
    return object() if run.decide(z3.Bool("it has records")) else []


@proved("starts.refines", "refinement", "the code starts as the law says, on what boot makes of the memory map")
def starts_refines(run: Run) -> None:
    attributes()  # as they are made of real components
    frames, shift = unknown_frames(run), page_shift(run)
    mappings = paging.unmapped(shift, run.number("physical_bits"), run.number("pat_register"), frames.reach << shift)
    booted = partial(law.booted, frames, mappings, run.number("kernel_start"), run.number("kernel_range"))
    start = booted(lambda kernel_page: False)
    whole = Whole(run, start)
    pieces = Pieces(run)
    made, loop, level = Made(run, whole), Fixing(whole, booted, pieces), PAGE_SHIFTS.index(shift) + 1
    cut(run, made.kernel, "fix", lambda first, pages: loop)
    records = memory_map(run)
    layout: Any = Layout
    machine: Any = code.Machine
    bits = layout(start.physical_bits, start.pat_register)
    depths = [run.number(f"{of}_depth") for of in ("kernel", "process")]
    sizes = machine(start.reach, start.image, level, bits, start.kernel_start, *depths, pieces)
    manager = run.call(code.Manager, sizes, records)
    run.assert_goal("all that is reserved is fixed", not pieces.left)
    other = run.call(code.Manager, sizes._replace(reserved=()), records)
    has_its_own(run, manager, other)
    run.assert_goal("it knows its machine", manager.machine is sizes and manager.page_shift == shift)
    (usable, *reach), _ = made.of["boot"]
    everything = records is None and usable == [Record(0, TOP, 1)]
    run.assert_goal("frames are what the memory map says, or all", usable is records or everything)
    run.assert_goal("and as many as the machine has", same(reach, [shift, start.reach, start.image]))
    run.assert_goal("ranges are as large as the machine's", same(made.of["Spaces"][0], depths))
    run.assert_goal("the kernel half is made of nothing", made.of["KernelHalf"][0] == ())
    built_on = (manager.bitmap, manager.halves, bits, level, start.reach)
    run.assert_goal("page tables are built on the same frames and processes", same(made.of["Paging"][0], built_on))
    names = [each.name for each in (manager.bitmap, manager.spaces, manager.halves, manager.paging)]
    run.assert_goal("each component is in its place", names == ["boot", "Spaces", "KernelHalf", "Paging"])
    run.assert_goal("each is made once for each manager", all(len(calls) == 2 for calls in made.of.values()))
    same_but_ghosts(run, booted(loop.reserved), whole.state)
