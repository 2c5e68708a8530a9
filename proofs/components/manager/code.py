"""Proofs that the code of `impl/manager.py` is the law's, given that the components' code is theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Attributes, Leaf
from memoracle.impl.pte import Layout
from memoracle.proofs.components.manager.component_models import (
    LawfulBitmap,
    LawfulPaging,
    LawfulSpaces,
    SomeTables,
    Whole,
    is_frame,
    rounded,
)
from memoracle.proofs.components.manager.law import (
    MOST_DEPTH,
    PAGE_SHIFTS,
    any_points,
    proved,
    same_but_ghosts,
    unknown,
)
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.containers import Map, Set
from memoracle.proofs.symbolic.execution import Run
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

    def succeeds(self, method: str, *arguments: Any) -> bool:
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


@refines("allocate", "the code of allocate_frame does what the law says")
def allocate_refines(run: Run, code: Code) -> None:
    frame = code.call("allocate_frame")
    if frame is None:
        unlucky = run.point("frame")
        run.assert_goal("it fails only if no frame is free", neg(law.allocate.allows(code.before, frame=unlucky)))
        code.stands_for(code.before)
        return
    code.allowed(law.allocate, code.before, frame=frame)
    code.stands_for(law.allocate(code.before, frame))


@refines("free", "the code of free_frame does what the law says")
def free_refines(run: Run, code: Code) -> None:
    frame = run.any_number("frame")
    allowed = is_frame(frame) & law.free.allows(code.before, frame=frame)
    if code.succeeds("free_frame", frame):
        run.assert_goal("the law allows it", allowed)
        code.stands_for(law.free(code.before, frame))
    else:
        run.assert_goal("it fails only if the law says so", neg(allowed))
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
        run.assert_goal("it fails only if the law says so", neg(allowed))
        code.stands_for(code.before)


@refines(
    "map",
    "the code of map does what the law says: tables are taken, and the page is mapped, or nothing is done",
)
def map_refines(run: Run, code: Code) -> None:
    process, virtual, physical = run.point("process"), run.any_number("virtual"), run.any_number("physical")
    cache, flags = run.any_number("cache"), [run.truth(each) for each in ("writable", "executable", "global")]
    a_leaf: Any = Leaf
    leaf = a_leaf(physical, cache, *flags)
    if not code.succeeds("map", process, virtual, leaf):
        run.assert_goal("it fails only where the page tables refuse", code.whole.refused)
        code.stands_for(code.before)
        return
    due, (frame,) = with_tables(code, code.before), code.manager.paging.shown
    run.assert_goal("the frame is that of the leaf", physical == frame << due.page_shift)
    code.allowed(law.map_page, due, process=process, virtual=virtual, frame=frame)
    code.stands_for(law.map_page(due, process, virtual, frame, cache, *(when(flag, 1, 0) for flag in flags)))


@refines(
    "unmap",
    "the code of unmap does what the law says, and with release, and no other, frees what frame.allocate gave once "
    "nothing maps it",
    (*ALWAYS, law.kernel_pages_are_mapped),
)
def unmap_refines(run: Run, code: Code) -> None:
    before = code.before
    process, virtual, release = run.point("process"), run.any_number("virtual"), run.fresh_truth("release")
    if not code.succeeds("unmap", process, virtual, release):
        page = code.call("page_at", virtual)
        held = False if page is None else is_frame(page) & law.is_kernel_page(before, page)
        mapped = process_lives(before, process) & paging.page_is_mapped(before, process, virtual)
        run.assert_goal("it fails only if nothing is mapped, or a kernel page", held | neg(mapped))
        code.stands_for(before)
        return
    code.allowed(law.unmap, before, process=process, virtual=virtual)
    due = with_tables(code, law.unmap(before, process, virtual))
    (frame,) = code.manager.paging.hidden
    goes = release & law.release.allows(due, frame=frame)
    run.assert_goal("a frame is freed if and only if it is to be released", goes if code.bitmap.freed else neg(goes))
    if code.bitmap.freed:
        code.allowed(law.release, due, frame=frame)
        due = law.release(due, frame)
    code.stands_for(due)


@refines("translate", "the code of translate answers as the page tables do, and changes nothing")
def translate_refines(run: Run, code: Code) -> None:
    process, virtual, paging_of = run.any_number("process"), run.any_number("virtual"), code.manager.paging
    answer = code.call("translate", process, virtual)
    shown = paging_of.is_shown(process, virtual)
    run.assert_goal("there is an answer where the page tables have one", neg(shown) if answer is None else shown)
    if answer is not None:
        run.assert_goal("the answer is the page tables'", answer == paging_of.asked("translation", process, virtual))
    code.stands_for(code.before)


@refines("attributes", "the code of attributes answers as the page tables do, and changes nothing")
def attributes_refines(run: Run, code: Code) -> None:
    process, virtual, paging_of = run.any_number("process"), run.any_number("virtual"), code.manager.paging
    answer = code.call("attributes", process, virtual)
    shown = paging_of.is_shown(process, virtual)
    run.assert_goal("there is an answer where the page tables have one", neg(shown) if answer is None else shown)
    for field in Attributes._fields if answer is not None else ():
        told = getattr(answer, field) == paging_of.asked(field, process, virtual)
        run.assert_goal(f"{field} is what the page tables say", told)
    code.stands_for(code.before)


@refines("page-at", "the code of page_at finds the page of the kernel's range that begins at an address, and no other")
def page_at_refines(run: Run, code: Code) -> None:
    address, page = run.any_number("page"), run.point("kernel_page")
    found = code.call("page_at", address)
    if found is None:
        run.assert_goal("no page begins there", law.address_of(code.before, page) != address)
    else:
        run.assert_goal("the page begins there", (0 <= found) & (law.address_of(code.before, found) == address))
    code.stands_for(code.before)


@refines("address-of", "the code of address_of says where a page of the kernel's range begins")
def address_of_refines(run: Run, code: Code) -> None:
    page = run.any_number("kernel_page")
    run.assert_goal("it is the page's", code.call("address_of", page) == law.address_of(code.before, page))
    code.stands_for(code.before)


@refines("take-range", "the code of allocate_range does what the law says, or nothing")
def take_range_refines(run: Run, code: Code) -> None:
    process, pages = run.any_number("process"), run.any_number("pages")
    first = code.call("allocate_range", process, pages)
    if first is None:
        finds_no_block(code, process)
        return
    takes_a_block(code, process, first, rounded(run, pages))


@refines("reserve-range", "the code of reserve_range does what the law says, or nothing")
def reserve_range_refines(run: Run, code: Code) -> None:
    process, first, pages = (run.any_number(each) for each in ("process", "first", "pages"))
    if not code.succeeds("reserve_range", process, first, pages):
        finds_no_block(code, process)
        return
    takes_a_block(code, process, first, pages)


def finds_no_block(code: Code, process: Number) -> None:
    none = code.whole.refused | neg(code.before.lives(process))
    code.run.assert_goal("it fails only if the process does not exist, or its range has no such block", none)
    code.stands_for(code.before)


def takes_a_block(code: Code, process: Number, first: Number, size: Number) -> None:
    code.allowed(manager_ranges.take_range, code.before, process=process, first=first, pages=size)
    code.stands_for(manager_ranges.take_range(code.before, process, first, size))


@refines("give-range", "the code of free_range does what the law says, and never frees the block of kernel pages")
def give_range_refines(run: Run, code: Code) -> None:
    process, first, pages = (run.any_number(each) for each in ("process", "first", "pages"))
    size = rounded(run, pages)
    if not code.succeeds("free_range", process, first, pages):
        block = manager_ranges.frees_a_block(code.before, process, first, size)
        may = (0 < pages) & block & process_lives(code.before, process)
        kernels = (process == 0) & (code.before.block_at(first) != 0)
        run.assert_goal("it fails only if no such block is there, or it is that of kernel pages", neg(may) | kernels)
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
        run.assert_goal("it fails only for want of a frame, or where the page tables refuse", code.whole.refused)
        code.stands_for(code.before)
        return
    frame = code.bitmap.picked[0]
    code.allowed(manager_pages.extend_pages, code.before, first=first, frame=frame)
    due = manager_pages.extend_pages(code.before, first, frame)
    code.stands_for(with_tables(code, due))


@refines(
    "shrink-pages",
    "the code that takes a kernel page away does what the law says",
    (*ALWAYS, law.kernel_pages_are_mapped),
)
def shrink_refines(run: Run, code: Code) -> None:
    first = run.point("first")
    run.assume(manager_pages.a_page_is_left(code.before, first))
    code.call("_shrink", first)
    due = manager_pages.shrink_pages(code.before, first)
    code.stands_for(with_tables(code, due))


def with_tables(code: Code, state: law.Memory, came_or_went: Sequence[SomeTables] | None = None) -> law.Memory:
    """The state after the tables were taken, or given back, that the code took or gave; the law allows each."""
    for tables in code.whole.tables if came_or_went is None else came_or_went:
        code.run.assert_goal("the law allows each table's step", tables.allowed(state, code.at.frame))
        state = tables(state)
    return state


CODE = (
    allocate_refines,
    free_refines,
    create_refines,
    map_refines,
    unmap_refines,
    translate_refines,
    attributes_refines,
    page_at_refines,
    address_of_refines,
    take_range_refines,
    reserve_range_refines,
    give_range_refines,
    extend_refines,
    shrink_refines,
)
