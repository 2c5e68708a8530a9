"""Proofs that the code of `impl/manager.py` is the law's, given that the components' code is theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import (
    LawfulBitmap,
    LawfulPaging,
    LawfulSpaces,
    Whole,
    rounded,
)
from memoracle.proofs.components.manager.law import MOST_PAGES, proved, same_but_ghosts, unknown
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.containers import Map, Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.primed import Renamed
from memoracle.spec import bitmap, manager_law, manager_pages, manager_ranges, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Clause, Number, Operation, Truth, neg, when
from memoracle.spec.kernel_half import process_lives

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
)


class Code:
    """A manager on lawful components, in any state that the law admits."""

    def __init__(self, run: Run, clauses: Sequence[Clause]) -> None:
        self.run, self.clauses = run, clauses
        self.manager: Any = object.__new__(Manager)
        self._enter(unknown(run))

    def goes_on(self, suffix: str) -> None:
        """From here on it is in any state that the law admits, of the same machine."""
        renamed: Any = Renamed(self.run, suffix, ("count",))
        self._enter(unknown(renamed, self.before.page_shift))

    def _enter(self, s: law.Memory) -> None:
        run, self.before = self.run, s
        run.assume_all(self.clauses, s)
        self.whole = Whole(run, s)
        self.bitmap = LawfulBitmap(self.whole)
        self.given = Set(run, lambda frame: is_frame(frame) & (s.use(frame) == law.GIVEN), "frame")
        self.lengths = Map(run, lambda first: is_frame(first) & (s.block_at(first) != 0), s.pages_at)
        self.frame_at = Map(run, lambda page: is_frame(page) & law.is_kernel_page(s, page), s.frame_at)
        self.spaces = LawfulSpaces(self.whole)
        self.unwritten = self._functions()
        layout: Any = Layout
        machine: Any = Machine
        self.manager.__dict__.update(
            machine=machine(s.reach, s.image, 1, layout(52, s.pat_register), s.kernel_start, 0, 0, ()),
            page_shift=s.page_shift,
            bitmap=self.bitmap,
            spaces=self.spaces,
            paging=LawfulPaging(self.whole),
            given=self.given,
            lengths=self.lengths,
            frame_at=self.frame_at,
        )

    def _functions(self) -> list[Any]:
        """Whatever the manager's containers hold."""
        kept = (self.lengths.has, self.lengths.at, self.frame_at.has, self.frame_at.at)
        return [self.whole.state, self.given.has, self.spaces.has, *kept]

    def is_untouched(self) -> bool:
        """Whether nothing was written to any container."""
        return all(now is then for now, then in zip(self._functions(), self.unwritten, strict=True))

    def call(self, method: str, *arguments: Any) -> Any:
        return self.run.call(getattr(self.manager, method), *arguments)

    def succeeds(self, method: str, *arguments: Any) -> bool:
        return bool(self.run.call(lambda: bool(getattr(self.manager, method)(*arguments))))

    def stands_for(self, due: law.Memory) -> None:
        """Claims that the manager's state is this one. Ghosts, which it does not keep, are those that are due."""
        parts = self.whole.state

        def held(frame: Any) -> Truth:
            page = due.page_of(frame)
            found: Truth = self.frame_at.has(page) & (self.frame_at.at(page) == frame)
            return found

        def use(frame: Any) -> Number:
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
        same_but_ghosts(self.run, due, state)
        kernel_page, first = self.run.point("kernel_page"), self.run.point("first")
        kept = self.frame_at.has(kernel_page) == law.is_kernel_page(due, kernel_page)
        self.run.claim("it keeps the frame of each kernel page, and of no other", kept)
        self.run.claim("it keeps the length of each block", self.lengths.has(first) == (due.block_at(first) != 0))
        process = self.run.point("process")
        self.run.claim("whoever lives has a range", self.spaces.has(process) == due.lives(process))

    def allowed(self, operation: Operation, state: law.Memory, **values: Any) -> None:
        """Claims that the law allows an operation, for these values and any other points."""
        for clause in operation.guard:
            at = {**self.run.point_of_each(clause.points), **values}
            self.run.claim(clause.says, clause(state, *(at[point] for point in clause.points)))


def is_frame(number: Any) -> Truth:
    """Whether a number is one that frames and pages may have."""
    inside: Truth = (0 <= number) & (number <= MOST_PAGES)
    return inside


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


@refines("allocate", "the code of allocate_frame does what the law says")
def allocate_refines(run: Run, code: Code) -> None:
    frame = code.call("allocate_frame")
    if frame is None:
        unlucky = run.point("frame")
        run.claim("it fails only if no frame is free", neg(law.allocate.allows(code.before, frame=unlucky)))
        code.stands_for(code.before)
        return
    code.allowed(law.allocate, code.before, frame=frame)
    code.stands_for(law.allocate(code.before, frame))


@refines("free", "the code of free_frame does what the law says")
def free_refines(run: Run, code: Code) -> None:
    frame = run.any_number("frame")
    allowed = is_frame(frame) & law.free.allows(code.before, frame=frame)
    if code.succeeds("free_frame", frame):
        run.claim("the law allows it", allowed)
        code.stands_for(law.free(code.before, frame))
    else:
        run.claim("it fails only if the law says so", neg(allowed))
        code.stands_for(code.before)


@refines(
    "create",
    "the code of create does what the law says",
    (*ALWAYS, law.ranges_belong_to_the_living, law.ranges_share_no_page),
)
def create_refines(run: Run, code: Code) -> None:
    process, unlucky = run.point("process"), run.point("frame")
    if code.succeeds("create", process):
        (frame,) = code.whole.roots
        code.allowed(law.create, code.before, process=process, frame=frame)
        code.stands_for(law.create(code.before, process, frame))
    else:
        allowed = law.create.allows(code.before, process=process, frame=unlucky)
        run.claim("it fails only if the law says so", neg(allowed))
        code.stands_for(code.before)


@refines(
    "map",
    "the code of map does what the law says: tables are taken, and the page is mapped, or nothing is done",
    (*ALWAYS, paging.kernel_lives),
)
def map_refines(run: Run, code: Code) -> None:
    process, virtual, frame = run.point("process"), run.point("virtual"), run.point("frame")
    cache, (writable, executable, global_) = run.point("cache"), (1, 0, 1)
    a_leaf: Any = Leaf
    leaf = a_leaf(frame << code.before.page_shift, cache, bool(writable), bool(executable), bool(global_))
    if not code.succeeds("map", process, virtual, leaf):
        run.claim("it fails only where the page tables refuse", code.whole.refused)
        code.stands_for(code.before)
        return
    due = with_tables(code, code.before)
    code.allowed(law.map_page, due, process=process, virtual=virtual, frame=frame)
    code.stands_for(law.map_page(due, process, virtual, frame, cache, writable, executable, global_))


@refines(
    "unmap",
    "the code of unmap does what the law says, and with release frees what frame.allocate gave once nothing maps it",
    (*ALWAYS, law.kernel_pages_are_mapped, paging.kernel_lives),
)
def unmap_refines(run: Run, code: Code) -> None:
    process, virtual, release = run.point("process"), run.point("virtual"), run.fresh_truth("release")
    if not code.succeeds("unmap", process, virtual, release):
        page = code.call("page_at", virtual)
        held = False if page is None else is_frame(page) & law.is_kernel_page(code.before, page)
        mapped = process_lives(code.before, process) & paging.page_is_mapped(code.before, process, virtual)
        run.claim("it fails only if nothing is mapped, or a kernel page", held | neg(mapped))
        code.stands_for(code.before)
        return
    code.allowed(law.unmap, code.before, process=process, virtual=virtual)
    due = with_tables(code, law.unmap(code.before, process, virtual))
    for frame in code.bitmap.freed:
        run.claim("it was asked to release", release)
        code.allowed(law.release, due, frame=frame)
        due = law.release(due, frame)
    code.stands_for(due)


def tells(question: str) -> Obligation:
    """That an answer is that of the page tables."""

    @refines(question, f"the code of {question} answers as the page tables do, and changes nothing")
    def check(run: Run, code: Code) -> None:
        process, virtual = run.point("process"), run.point("virtual")
        answer = code.call(question, process, virtual)
        run.claim("the answer is the page tables'", answer == getattr(code.manager.paging, question)(process, virtual))
        run.claim("nothing changes", code.is_untouched())

    return check


@refines("page-at", "the code of page_at finds the page of the kernel's range that begins at an address, and no other")
def page_at_refines(run: Run, code: Code) -> None:
    address, page = run.any_number("page"), run.point("kernel_page")
    found = code.call("page_at", address)
    if found is None:
        run.claim("no page begins there", law.address_of(code.before, page) != address)
        return
    run.claim("the page begins there", (0 <= found) & (law.address_of(code.before, found) == address))


@refines("take-range", "the code of allocate_range does what the law says, or nothing")
def take_range_refines(run: Run, code: Code) -> None:
    process, pages = run.point("process"), run.point("pages")
    first = code.call("allocate_range", process, pages)
    if first is None:
        finds_no_block(code, process)
        return
    takes_a_block(code, process, first, rounded(run, pages))


@refines("reserve-range", "the code of reserve_range does what the law says, or nothing")
def reserve_range_refines(run: Run, code: Code) -> None:
    process, first, pages = run.point("process"), run.point("first"), run.point("pages")
    if not code.succeeds("reserve_range", process, first, pages):
        finds_no_block(code, process)
        return
    takes_a_block(code, process, first, pages)


def finds_no_block(code: Code, process: Any) -> None:
    none = code.whole.refused | neg(code.before.lives(process))
    code.run.claim("it fails only if the process does not exist, or its range has no such block", none)
    code.stands_for(code.before)


def takes_a_block(code: Code, process: Any, first: Any, size: Any) -> None:
    code.allowed(manager_ranges.take_range, code.before, process=process, first=first, pages=size)
    code.stands_for(manager_ranges.take_range(code.before, process, first, size))


@refines("give-range", "the code of free_range does what the law says, and never frees the block of kernel pages")
def give_range_refines(run: Run, code: Code) -> None:
    process, first, pages = run.point("process"), run.point("first"), run.point("pages")
    size = rounded(run, pages)
    if not code.succeeds("free_range", process, first, pages):
        block = manager_ranges.frees_a_block(code.before, process, first, size)
        may = (0 < pages) & block & process_lives(code.before, process)
        kernels = (process == 0) & (code.before.block_at(first) != 0)
        run.claim("it fails only if no such block is there, or it is that of kernel pages", neg(may) | kernels)
        code.stands_for(code.before)
        return
    page = run.point("kernel_page")
    run.assume(law.ranges_share_no_page(code.before, process, first, page))
    code.allowed(manager_ranges.give_range, code.before, process=process, first=first, pages=size, kernel_page=page)
    code.stands_for(manager_ranges.give_range(code.before, process, first, size))


@refines("extend-pages", "the code that adds a kernel page does what the law says, or nothing")
def extend_refines(run: Run, code: Code) -> None:
    first = run.point("first")
    run.assume(manager_pages.block_has_room(code.before, first))
    if not code.succeeds("_extend", first):
        run.claim("it fails only for want of a frame, or where the page tables refuse", code.whole.refused)
        code.stands_for(code.before)
        return
    frame = code.bitmap.picked[0]
    code.allowed(manager_pages.extend_pages, code.before, first=first, frame=frame)
    due = manager_pages.extend_pages(code.before, first, frame)
    code.stands_for(with_tables(code, due))


@refines(
    "shrink-pages",
    "the code that takes a kernel page away does what the law says",
    (*ALWAYS, law.kernel_pages_are_mapped, paging.kernel_lives),
)
def shrink_refines(run: Run, code: Code) -> None:
    first = run.point("first")
    run.assume(manager_pages.a_page_is_left(code.before, first))
    code.call("_shrink", first)
    due = manager_pages.shrink_pages(code.before, first)
    code.stands_for(with_tables(code, due))


def with_tables(code: Code, state: law.Memory) -> law.Memory:
    """The state after the tables were taken, or given back, that the code took or gave; the law allows each."""
    for tables in code.whole.tables:
        code.run.claim("the law allows each table's step", tables.allowed(state, code.run.point("frame")))
        state = tables(state)
    return state


CODE = (
    allocate_refines,
    free_refines,
    create_refines,
    map_refines,
    unmap_refines,
    *map(tells, ("translate", "attributes")),
    page_at_refines,
    take_range_refines,
    reserve_range_refines,
    give_range_refines,
    extend_refines,
    shrink_refines,
)
