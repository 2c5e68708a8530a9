"""Proofs of the methods of `impl/manager.py` that have no loops: each does what the law says.

The manager is in any state that satisfies the invariants, and runs on stand-ins for its components. So what is assumed
is that the components' code does what their laws say, which is proved of each. The whole state is compared after each
call.
"""

from __future__ import annotations

from memoracle.impl.paging import Attributes, Leaf
from memoracle.proofs.components.manager.component_models import is_reached
from memoracle.proofs.components.manager.range_models import is_frame, rounded
from memoracle.proofs.components.manager.symbolic_manager import ALWAYS, SymbolicManager, refines, with_tables
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import record_of
from memoracle.spec import manager as law
from memoracle.spec import manager_gets, manager_mappings, manager_pages, manager_ranges, paging
from memoracle.spec.clauses import Number, Truth, neg, when
from memoracle.spec.kernel_half import process_lives


def assert_released(run: Run, symbolic: SymbolicManager, due: law.Memory, frame: Number, goes: Truth) -> None:
    """Claims that a frame is freed if it goes, and only then, and that nothing else becomes of this state."""
    run.assert_goal(
        "a frame is freed if and only if it is to be released", goes if symbolic.bitmap.freed else neg(goes)
    )
    if symbolic.bitmap.freed:
        symbolic.assert_allowed(law.release, due, frame=frame)
        due = law.release(due, frame)
    symbolic.assert_state(due)


@refines("allocate", "the code of allocate_frame does what the law says")
def allocate_refines(run: Run, symbolic: SymbolicManager) -> None:
    frame = symbolic.call("allocate_frame")
    if frame is None:
        other = run.point("frame")
        run.assert_goal("it fails only if no frame is free", neg(law.allocate.allows(symbolic.before, frame=other)))
        symbolic.assert_state(symbolic.before)
        return
    symbolic.assert_allowed(law.allocate, symbolic.before, frame=frame)
    symbolic.assert_state(law.allocate(symbolic.before, frame))


@refines("free", "the code of free_frame does what the law says")
def free_refines(run: Run, symbolic: SymbolicManager) -> None:
    frame = run.any_number("frame")
    allowed = is_frame(frame) & law.free.allows(symbolic.before, frame=frame)
    if symbolic.succeeds("free_frame", frame):
        run.assert_goal("the law allows it", allowed)
        symbolic.assert_state(law.free(symbolic.before, frame))
    else:
        run.assert_goal("it fails only if the law says so", neg(allowed))
        symbolic.assert_state(symbolic.before)


@refines("get", "the code of get_frame does what the law says")
def get_refines(run: Run, symbolic: SymbolicManager) -> None:
    before, frame = symbolic.before, run.any_number("frame")
    allowed = is_reached(before, frame) & manager_gets.get.allows(before, frame=frame)
    if symbolic.succeeds("get_frame", frame):
        run.assert_goal("the law allows it", allowed)
        symbolic.assert_state(manager_gets.get(before, frame))
    else:
        run.assert_goal("it fails only if the law says so", neg(allowed))
        symbolic.assert_state(before)


@refines(
    "put",
    "the code of put_frame does what the law says; if release is asked for, and only then, it frees a frame that "
    "frame.allocate gave and that has no use any more",
)
def put_refines(run: Run, symbolic: SymbolicManager) -> None:
    before, frame = symbolic.before, run.any_number("frame")
    asked = (run.fresh_truth("release"),) if run.fork() else ()  # without this argument nothing is released
    release = asked[0] if asked else False
    allowed = is_frame(frame) & manager_gets.put.allows(before, frame=frame)
    if not symbolic.succeeds("put_frame", frame, *asked):
        run.assert_goal("it fails only if no get is left", neg(allowed))
        symbolic.assert_state(before)
        return
    run.assert_goal("the law allows it", allowed)
    due = manager_gets.put(before, frame)
    goes = release & law.release.allows(due, frame=frame)
    assert_released(run, symbolic, due, frame, goes)


@refines(
    "create",
    "the code of create does what the law says",
    (*ALWAYS, law.ranges_belong_to_the_living, law.ranges_share_no_page),
)
def create_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, other = run.any_number("process"), run.point("frame")
    if symbolic.succeeds("create", process):
        (frame,) = symbolic.shared.roots
        symbolic.assert_allowed(law.create, symbolic.before, process=process, frame=frame)
        symbolic.assert_state(law.create(symbolic.before, process, frame))
    else:
        allowed = law.create.allows(symbolic.before, process=process, frame=other)
        run.assert_goal("it fails only if the law says so", neg(allowed))
        symbolic.assert_state(symbolic.before)


@refines(
    "map",
    "the code of map takes tables and maps the page as the law says, or does nothing",
)
def map_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, virtual, physical = run.any_number("process"), run.any_number("virtual"), run.any_number("physical")
    cache, flags = run.any_number("cache"), [run.truth(each) for each in ("writable", "executable", "global")]
    leaf = record_of(Leaf, physical, cache, *flags)
    if not symbolic.succeeds("map", process, virtual, leaf):
        run.assert_goal("it fails only where the page tables refuse", symbolic.shared.refused)
        symbolic.assert_state(symbolic.before)
        return
    due, (frame,) = with_tables(symbolic, symbolic.before), symbolic.manager.paging.mapped_frames
    run.assert_goal("the frame is that of the leaf", physical == frame << due.page_shift)
    symbolic.assert_allowed(manager_mappings.map_page, due, process=process, virtual=virtual, frame=frame)
    symbolic.assert_state(
        manager_mappings.map_page(due, process, virtual, frame, cache, *(when(flag, 1, 0) for flag in flags))
    )


@refines(
    "unmap",
    "the code of unmap does what the law says; if release is asked for, and only then, it frees a frame that "
    "frame.allocate gave and that has lost its last use",
    (*ALWAYS, law.kernel_pages_are_mapped),
)
def unmap_refines(run: Run, symbolic: SymbolicManager) -> None:
    before = symbolic.before
    process, virtual = run.any_number("process"), run.any_number("virtual")
    asked = (run.fresh_truth("release"),) if run.fork() else ()  # without this argument nothing is released
    release = asked[0] if asked else False
    if not symbolic.succeeds("unmap", process, virtual, *asked):
        page = symbolic.call("page_at", virtual)
        held = False if page is None else is_frame(page) & law.is_kernel_page(before, page)
        mapped = process_lives(before, process) & paging.page_is_mapped(before, process, virtual)
        run.assert_goal("it fails only if nothing is mapped, or a kernel page", held | neg(mapped))
        symbolic.assert_state(before)
        return
    symbolic.assert_allowed(manager_mappings.unmap, before, process=process, virtual=virtual)
    due = with_tables(symbolic, manager_mappings.unmap(before, process, virtual))
    (frame,) = symbolic.manager.paging.unmapped_frames
    goes = release & law.release.allows(due, frame=frame) & neg(paging.is_direct(before, virtual))
    assert_released(run, symbolic, due, frame, goes)


@refines("translate", "the code of translate answers as the page tables do, and changes nothing")
def translate_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, virtual, paging_of = run.any_number("process"), run.any_number("virtual"), symbolic.manager.paging
    answer = symbolic.call("translate", process, virtual)
    shown = paging_of.is_answered(process, virtual)
    run.assert_goal("there is an answer where the page tables have one", neg(shown) if answer is None else shown)
    if answer is not None:
        run.assert_goal("the answer is the page tables'", answer == paging_of.answer("translation", process, virtual))
    symbolic.assert_state(symbolic.before)


@refines("attributes", "the code of attributes answers as the page tables do, and changes nothing")
def attributes_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, virtual, paging_of = run.any_number("process"), run.any_number("virtual"), symbolic.manager.paging
    answer = symbolic.call("attributes", process, virtual)
    shown = paging_of.is_answered(process, virtual)
    run.assert_goal("there is an answer where the page tables have one", neg(shown) if answer is None else shown)
    for field in Attributes._fields if answer is not None else ():
        read = getattr(answer, field) == paging_of.answer(field, process, virtual)
        run.assert_goal(f"{field} is what the page tables say", read)
    symbolic.assert_state(symbolic.before)


@refines("page-at", "the code of page_at finds the page of the kernel's range that begins at an address, and no other")
def page_at_refines(run: Run, symbolic: SymbolicManager) -> None:
    address, page = run.any_number("page"), run.point("kernel_page")
    found = symbolic.call("page_at", address)
    if found is None:
        run.assert_goal("no page begins there", law.address_of(symbolic.before, page) != address)
    else:
        run.assert_goal("the page begins there", (0 <= found) & (law.address_of(symbolic.before, found) == address))
    symbolic.assert_state(symbolic.before)


@refines("address-of", "the code of address_of says where a page of the kernel's range begins")
def address_of_refines(run: Run, symbolic: SymbolicManager) -> None:
    page = run.any_number("kernel_page")
    run.assert_goal("it is the page's", symbolic.call("address_of", page) == law.address_of(symbolic.before, page))
    symbolic.assert_state(symbolic.before)


@refines("take-range", "the code of allocate_range does what the law says, or nothing")
def take_range_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, pages = run.any_number("process"), run.any_number("pages")
    first = symbolic.call("allocate_range", process, pages)
    if first is None:
        finds_no_block(symbolic, process)
        return
    takes_a_block(symbolic, process, first, rounded(run, pages))


@refines("reserve-range", "the code of reserve_range does what the law says, or nothing")
def reserve_range_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, first, pages = (run.any_number(each) for each in ("process", "first", "pages"))
    if not symbolic.succeeds("reserve_range", process, first, pages):
        finds_no_block(symbolic, process)
        return
    takes_a_block(symbolic, process, first, pages)


def finds_no_block(symbolic: SymbolicManager, process: Number) -> None:
    """Claims that a call that found no block in a range had a reason, and changed nothing."""
    none = symbolic.shared.refused | neg(symbolic.before.lives(process))
    symbolic.run.assert_goal("it fails only if the process is not live, or its range has no such block", none)
    symbolic.assert_state(symbolic.before)


def takes_a_block(symbolic: SymbolicManager, process: Number, first: Number, size: Number) -> None:
    """Claims that a call took this block as the law says."""
    symbolic.assert_allowed(manager_ranges.take_range, symbolic.before, process=process, first=first, pages=size)
    symbolic.assert_state(manager_ranges.take_range(symbolic.before, process, first, size))


@refines("give-range", "the code of free_range does what the law says, and never frees the block of kernel pages")
def give_range_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, first, pages = (run.any_number(each) for each in ("process", "first", "pages"))
    size = rounded(run, pages)
    if not symbolic.succeeds("free_range", process, first, pages):
        block = manager_ranges.frees_a_block(symbolic.before, process, first, size)
        may = (0 < pages) & block & process_lives(symbolic.before, process)
        kernels = (process == 0) & (symbolic.before.block_at(first) != 0)
        run.assert_goal("it fails only if there is no such block, or it is one of kernel pages", neg(may) | kernels)
        symbolic.assert_state(symbolic.before)
        return
    page = run.point("kernel_page")
    run.assume(law.ranges_share_no_page(symbolic.before, process, first, page))
    symbolic.assert_allowed(
        manager_ranges.give_range, symbolic.before, process=process, first=first, pages=size, kernel_page=page
    )
    symbolic.assert_state(manager_ranges.give_range(symbolic.before, process, first, size))


@refines("extend-pages", "the code that adds a kernel page does what the law says, or nothing")
def extend_refines(run: Run, symbolic: SymbolicManager) -> None:
    first = run.point("first")
    run.assume(manager_pages.block_has_room(symbolic.before, first))
    if not symbolic.succeeds("_extend", first):
        run.assert_goal("it fails only if no frame is free, or the page tables refuse", symbolic.shared.refused)
        symbolic.assert_state(symbolic.before)
        return
    frame = symbolic.bitmap.allocated[0]
    symbolic.assert_allowed(manager_pages.extend_pages, symbolic.before, first=first, frame=frame)
    due = manager_pages.extend_pages(symbolic.before, first, frame)
    symbolic.assert_state(with_tables(symbolic, due))


@refines(
    "shrink-pages",
    "the code that takes a kernel page away does what the law says",
    (*ALWAYS, law.kernel_pages_are_mapped),
)
def shrink_refines(run: Run, symbolic: SymbolicManager) -> None:
    first = run.point("first")
    run.assume(manager_pages.a_page_is_left(symbolic.before, first))
    symbolic.call("_shrink", first)
    due = manager_pages.shrink_pages(symbolic.before, first)
    symbolic.assert_state(with_tables(symbolic, due))


CODE = (
    allocate_refines,
    free_refines,
    get_refines,
    put_refines,
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
