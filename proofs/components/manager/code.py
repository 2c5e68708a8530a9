"""Proofs that the code of `impl/manager.py` is the law's, given that the components' code is theirs."""

from __future__ import annotations

from typing import Any

from memoracle.impl.paging import Attributes, Leaf
from memoracle.proofs.components.manager.range_models import is_frame, rounded
from memoracle.proofs.components.manager.symbolic_manager import ALWAYS, Code, refines, with_tables
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import manager as law
from memoracle.spec import manager_mappings, manager_pages, manager_ranges, paging
from memoracle.spec.clauses import Number, neg, when
from memoracle.spec.kernel_half import process_lives


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
    process, unlucky = run.any_number("process"), run.point("frame")
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
    process, virtual, physical = run.any_number("process"), run.any_number("virtual"), run.any_number("physical")
    cache, flags = run.any_number("cache"), [run.truth(each) for each in ("writable", "executable", "global")]
    a_leaf: Any = Leaf
    leaf = a_leaf(physical, cache, *flags)
    if not code.succeeds("map", process, virtual, leaf):
        run.assert_goal("it fails only where the page tables refuse", code.whole.refused)
        code.stands_for(code.before)
        return
    due, (frame,) = with_tables(code, code.before), code.manager.paging.shown
    run.assert_goal("the frame is that of the leaf", physical == frame << due.page_shift)
    code.allowed(manager_mappings.map_page, due, process=process, virtual=virtual, frame=frame)
    code.stands_for(
        manager_mappings.map_page(due, process, virtual, frame, cache, *(when(flag, 1, 0) for flag in flags))
    )


@refines(
    "unmap",
    "the code of unmap does what the law says, and with release, and no other, frees what frame.allocate gave once "
    "nothing maps it",
    (*ALWAYS, law.kernel_pages_are_mapped),
)
def unmap_refines(run: Run, code: Code) -> None:
    before = code.before
    process, virtual = run.any_number("process"), run.any_number("virtual")
    said = (run.fresh_truth("release"),) if run.fork() else ()  # who does not ask for the release gets none
    release = said[0] if said else False
    if not code.succeeds("unmap", process, virtual, *said):
        page = code.call("page_at", virtual)
        held = False if page is None else is_frame(page) & law.is_kernel_page(before, page)
        mapped = process_lives(before, process) & paging.page_is_mapped(before, process, virtual)
        run.assert_goal("it fails only if nothing is mapped, or a kernel page", held | neg(mapped))
        code.stands_for(before)
        return
    code.allowed(manager_mappings.unmap, before, process=process, virtual=virtual)
    due = with_tables(code, manager_mappings.unmap(before, process, virtual))
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
        read = getattr(answer, field) == paging_of.asked(field, process, virtual)
        run.assert_goal(f"{field} is what the page tables say", read)
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
