"""The manager's law as a whole: all its operations, and what users care about that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from memoracle.spec import manager, manager_gets, manager_mappings, manager_pages, manager_ranges, paging
from memoracle.spec.clauses import Number, Truth, clause, implies, neg
from memoracle.spec.kernel_half import never_exits_the_kernel
from memoracle.spec.manager import Memory

PART_OF = "manager"

OPERATIONS = (
    manager.add,
    manager.allocate,
    manager.free,
    manager.release,
    manager.take_table,
    manager.give_table,
    manager_mappings.map_page,
    manager_mappings.unmap,
    manager_gets.get,
    manager_gets.put,
    manager.create,
    manager.end,
    manager_ranges.take_range,
    manager_ranges.give_range,
    manager_pages.begin_pages,
    manager_pages.extend_pages,
    manager_pages.shrink_pages,
    manager_pages.end_pages,
)


# Theorems


@clause(
    "if each frame was allocated when it was mapped and not given back since, none is both free and mapped, but by the "
    "direct map"
)
def no_frame_is_free_and_mapped(s: Memory, space: Number, page: Number, frame: Number) -> Truth:
    shown = (
        s.is_mapped(space, page) & (s.physical(space, page) == frame << s.page_shift) & neg(paging.is_direct(s, page))
    )
    return implies(s.callers_kept_contract(frame), neg(shown & s.is_free(frame)))


@clause("no frame holds a table and is free, or handed out to anybody else")
def tables_are_apart(s: Memory, frame: Number, kernel_page: Number) -> Truth:
    by_kernel_page = manager.is_kernel_page(s, kernel_page) & (s.frame_at(kernel_page) == frame)
    others = s.is_free(frame) | s.never_free(frame) | manager.takes_back_what_was_given(s, frame) | by_kernel_page
    return implies(manager.holds_a_table(s, frame), neg(others))


@clause("no two kernel pages hold the same frame")
def kernel_pages_share_no_frame(s: Memory, kernel_page: Number, second: Number) -> Truth:
    both = manager.is_kernel_page(s, kernel_page) & manager.is_kernel_page(s, second) & (kernel_page != second)
    return implies(both, s.frame_at(kernel_page) != s.frame_at(second))


@clause("what is not free is the kernel's, a live process's table, or a frame.allocate not yet undone")
def only_the_living_hold_memory(s: Memory, frame: Number) -> Truth:
    kernels = s.never_free(frame) | (s.use(frame) == manager.PAGES)
    tables = manager.holds_a_table(s, frame) & s.lives(s.owner(frame))
    accounted_for = kernels | tables | manager.takes_back_what_was_given(s, frame)
    return implies(s.exists(frame) & neg(s.is_free(frame)), accounted_for)


@clause("the blocks of kernel pages are disjoint, and taken of the kernel's range")
def kernel_blocks_are_disjoint(s: Memory, first: Number, kernel_page: Number) -> Truth:
    inside = manager.among(kernel_page, first, s.block_at(first))
    return implies(inside, (s.block_of(0, kernel_page) == first) & s.taken(0, kernel_page))


@clause("kernel pages are taken of the kernel's range")
def kernel_pages_are_taken(s: Memory, kernel_page: Number) -> Truth:
    return implies(manager.is_kernel_page(s, kernel_page), s.taken(0, kernel_page))


THEOREMS = (
    no_frame_is_free_and_mapped,
    tables_are_apart,
    kernel_pages_share_no_frame,
    only_the_living_hold_memory,
    kernel_blocks_are_disjoint,
    kernel_pages_are_taken,
)


# Theorems about what an operation leaves


@clause("a process that exited has no table, no range and no mapping left")
def nothing_of_it_is_left(s: Memory, process: Number, table: Number, kernel_page: Number, page: Number) -> Truth:
    return neg(manager.holds_the_root(s, process, table) | s.taken(process, kernel_page) | s.is_mapped(process, page))


@dataclass(frozen=True)
class Step:
    """The states before and after an operation."""

    before: Memory
    after: Memory


def may_be_freed(s: Memory, process: Number, kernel_page: Number) -> Truth:
    """Whether a page of a range lies in a block that may be freed."""
    first = s.block_of(process, kernel_page)
    return s.taken(process, kernel_page) & manager.among(kernel_page, first, s.size_at(process, first))


@clause("a page of a block that may be freed becomes free, or still lies in such a block")
def can_be_freed_for_good(s: Step, process: Number, kernel_page: Number) -> Truth:
    freed = neg(s.after.taken(process, kernel_page))
    return implies(may_be_freed(s.before, process, kernel_page), freed | may_be_freed(s.after, process, kernel_page))


@clause("a frame that frame.allocate gave and that is not freed by frame.free becomes free only without uses")
def is_freed_after_its_last_use(s: Step, frame: Number) -> Truth:
    goes = manager.takes_back_what_was_given(s.before, frame) & s.after.is_free(frame)
    return implies(goes, manager.uses_of(s.after, frame) == 0)


@clause("a frame that was released after its last use is free")
def released_frames_are_free(s: Memory, frame: Number) -> Truth:
    return s.is_free(frame)


@dataclass(frozen=True)
class Exit:
    """A process's exit as a whole: the states before the first of its steps and after the last."""

    before: Memory
    after: Memory


def was_given(s: Exit, frame: Number) -> Truth:
    return manager.takes_back_what_was_given(s.before, frame)


def lost_its_uses(s: Exit, frame: Number) -> Truth:
    """Whether a frame had uses, and has none any more."""
    return (0 < manager.uses_of(s.before, frame)) & (manager.uses_of(s.after, frame) == 0)


@clause("a process's exit frees each frame that frame.allocate gave and that was mapped, but no longer is")
def exit_frees_what_lost_its_uses(s: Exit, frame: Number) -> Truth:
    return implies(was_given(s, frame) & lost_its_uses(s, frame), s.after.is_free(frame))


@clause("a process's exit frees no other frame but the process's tables")
def exit_frees_nothing_else(s: Exit, process: Number, frame: Number) -> Truth:
    became_free = s.after.is_free(frame) & neg(s.before.is_free(frame))
    table = manager.holds_the_root(s.before, process, frame)
    return implies(became_free, table | (was_given(s, frame) & lost_its_uses(s, frame)))


@clause("a process's exit unmaps all its pages, and leaves those of others as they were")
def exit_unmaps_its_own_pages(s: Exit, process: Number, space: Number, page: Number) -> Truth:
    stays = s.before.is_mapped(space, page) & (space != process)
    same = s.after.physical(space, page) == s.before.physical(space, page)
    return (s.after.is_mapped(space, page) == stays) & implies(stays, same)


@clause(
    "after a process's exit each frame that frame.allocate gave, that only this process mapped and of which no get is "
    "left, is free"
)
def exit_frees_what_only_it_mapped(s: Exit, process: Number, page: Number, frame: Number) -> Truth:
    physical = frame << s.before.page_shift
    other, elsewhere = s.after.space_numbered(physical, 0), s.after.page_numbered(physical, 0)

    def shows_it(space: Number, at: Number) -> Truth:
        return s.before.is_mapped(space, at) & (s.before.physical(space, at) == physical)

    shown, shared = shows_it(process, page), (other != process) & shows_it(other, elsewhere)
    held = neg(manager.no_get_is_left(s.after, frame))
    return implies(
        never_exits_the_kernel(s.before, process) & was_given(s, frame) & shown & neg(shared | held),
        s.after.is_free(frame),
    )


EXIT = (exit_frees_what_lost_its_uses, exit_frees_nothing_else, exit_unmaps_its_own_pages)
