"""The whole: what each frame is used for, and what must hold across the bitmap, the ranges and the page tables.

The state joins that of the frames and that of the mappings to what only the manager knows: what it took each frame
for, which pages of the kernel's range are kernel pages, and which frame each of these holds. A frame is one of those
that never are free (the kernel's image lies in such), or is free, or holds a table, or is one of kernel pages (slabs of
the heap are kernel pages too), or was given to a caller of `frame.allocate`. Every change below is a single step. What
a caller asks for is a sequence of them: kernel pages are begun, extended page by page, shrunk page by page, and ended.

Here are the state, its invariants, and what changes frames, tables and processes. Mappings are in manager_mappings,
uses that no page shows in manager_gets, ranges in manager_ranges, kernel pages in manager_pages; manager_law has all
operations, and what follows.

Mapping does not ask who has a frame, and the allocators do not ask what is mapped. So it takes the callers, too, to
keep a frame from being both free and mapped: that is the callers' contract, and the law remembers of each frame whether
they kept it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec import bitmap, paging
from memoracle.spec.bitmap import Frames, allocates_only_free
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when
from memoracle.spec.kernel_half import is_new, never_exits_the_kernel, process_has_64_bits, process_lives
from memoracle.spec.paging import Mappings, process_maps_nothing

UNUSED, TABLE, PAGES, GIVEN = 0, 1, 2, 3
WRITE_BACK = 6


@dataclass(frozen=True)
class Memory(Frames, Mappings):
    """State. Pages of a range are numbered from its start; process 0's range is the kernel's.

    No implementation needs to store `callers_kept_contract`, `block_of` and `page_of`.
    """

    kernel_start: Number  # the address of page 0 of the kernel's range
    kernel_range: Number  # the pages of that range
    use: Callable[[Number], Number]  # of a frame
    owner: Callable[[Number], Number]  # of a frame that holds a table: the process, 0 if it is of the kernel half
    taken: Callable[[Number, Number], Truth]  # of a process and a page of its range: it is in an allocated block
    size_at: Callable[[Number, Number], Number]  # the pages of the block that begins there and may be freed; 0 if none
    block_of: Callable[[Number, Number], Number]  # the first page of the allocated block that a page lies in
    block_at: Callable[[Number], Number]  # the pages of the block of the kernel pages that begin here; 0 if none do
    pages_at: Callable[[Number], Number]  # how many of them, from the first, are kernel pages now
    frame_at: Callable[[Number], Number]  # that a kernel page holds
    page_of: Callable[[Number], Number]  # the kernel page that holds a frame
    callers_kept_contract: Callable[[Number], Truth]  # see `mapped` and `given_back`
    gets: Callable[[Number], Number]  # of a frame: how many uses are left that frame.get made


def address_of(s: Memory, kernel_page: Number) -> Number:
    return s.kernel_start + (kernel_page << s.page_shift)


def uses_of(s: Memory, frame: Number) -> Number:
    """How many uses a frame has: pages that show it, and gets that were not put."""
    return s.uses(frame << s.page_shift) + s.gets(frame)


def among(page: Number, first: Number, pages: Number) -> Truth:
    """Whether a page is one of so many from the first."""
    return (first <= page) & (page < first + pages)


def is_kernel_page(s: Memory, kernel_page: Number) -> Truth:
    first = s.block_of(0, kernel_page)
    return among(kernel_page, first, s.pages_at(first))


# Initially


def booted(
    frames: Frames, mappings: Mappings, kernel_start: Number, kernel_range: Number, reserved: Callable[[Number], Truth]
) -> Memory:
    """Nothing is used, and of the ranges only what is reserved of the kernel's is taken; it can't be freed."""
    return Memory(
        **vars(frames),
        **vars(mappings),
        kernel_start=kernel_start,
        kernel_range=kernel_range,
        use=lambda frame: UNUSED,
        owner=lambda frame: 0,
        taken=lambda process, kernel_page: (process == 0) & reserved(kernel_page),
        size_at=lambda process, first: 0,
        block_of=lambda process, kernel_page: 0,
        block_at=lambda first: 0,
        pages_at=lambda first: 0,
        frame_at=lambda kernel_page: 0,
        page_of=lambda frame: 0,
        callers_kept_contract=lambda frame: True,
        gets=lambda frame: 0,
    )


# Invariants


@clause("a free frame is used for nothing")
def free_frames_are_unused(s: Memory, frame: Number) -> Truth:
    return implies(s.is_free(frame), s.use(frame) == UNUSED)


@clause("only memory that may be free is used")
def only_memory_is_used(s: Memory, frame: Number) -> Truth:
    memory = s.exists(frame) & neg(s.never_free(frame)) & (0 <= frame) & (frame < s.reach)
    return implies(s.use(frame) != UNUSED, memory)


@clause("every frame is free, or never free, or accounted for by a table, kernel pages or its allocation")
def every_frame_is_accounted_for(s: Memory, frame: Number) -> Truth:
    return implies(s.exists(frame) & neg(s.is_free(frame)), s.never_free(frame) | (s.use(frame) != UNUSED))


@clause("each table is a live process's, or the kernel's")
def tables_belong_to_the_living(s: Memory, frame: Number) -> Truth:
    return implies(s.use(frame) == TABLE, s.lives(s.owner(frame)))


@clause("a frame that is used for kernel pages is held by one of them")
def each_held_frame_has_its_page(s: Memory, frame: Number) -> Truth:
    page = s.page_of(frame)
    return implies(s.use(frame) == PAGES, is_kernel_page(s, page) & (s.frame_at(page) == frame))


@clause("each kernel page holds a frame of its own")
def each_kernel_page_has_its_frame(s: Memory, kernel_page: Number) -> Truth:
    frame = s.frame_at(kernel_page)
    return implies(is_kernel_page(s, kernel_page), (s.use(frame) == PAGES) & (s.page_of(frame) == kernel_page))


@clause("each kernel page shows the frame that it holds")
def kernel_pages_are_mapped(s: Memory, kernel_page: Number) -> Truth:
    page, frame = address_of(s, kernel_page), s.frame_at(kernel_page)
    shown = s.is_mapped(0, page) & (s.physical(0, page) == frame << s.page_shift)
    return implies(is_kernel_page(s, kernel_page), shown)


@clause("the pages of an allocated block are taken, and of no other block")
def ranges_share_no_page(s: Memory, process: Number, first: Number, kernel_page: Number) -> Truth:
    inside = among(kernel_page, first, s.size_at(process, first))
    return implies(inside, (s.block_of(process, kernel_page) == first) & s.taken(process, kernel_page))


@clause("the block of kernel pages is an allocated block of the kernel's range")
def kernel_blocks_are_ranges(s: Memory, first: Number) -> Truth:
    return implies(s.block_at(first) != 0, (s.size_at(0, first) == s.block_at(first)) & s.taken(0, first))


@clause("the blocks of kernel pages lie in the kernel's range")
def kernel_blocks_lie_in_the_range(s: Memory, first: Number) -> Truth:
    return implies(s.block_at(first) != 0, (0 <= first) & (first + s.block_at(first) <= s.kernel_range))


@clause("kernel pages fit their block")
def kernel_pages_fit_their_block(s: Memory, first: Number) -> Truth:
    return s.pages_at(first) <= s.block_at(first)


@clause("only live processes have ranges")
def ranges_belong_to_the_living(s: Memory, process: Number, kernel_page: Number) -> Truth:
    return implies(s.taken(process, kernel_page), s.lives(process))


@clause("if callers kept their contract, no free frame has uses")
def free_frames_have_no_uses(s: Memory, frame: Number) -> Truth:
    return implies(s.is_free(frame) & s.callers_kept_contract(frame), uses_of(s, frame) == 0)


@clause("that callers broke their contract is remembered of a frame only while it has uses")
def misbehaviour_is_past(s: Memory, frame: Number) -> Truth:
    return implies(uses_of(s, frame) == 0, s.callers_kept_contract(frame))


INVARIANTS = (
    free_frames_are_unused,
    only_memory_is_used,
    every_frame_is_accounted_for,
    tables_belong_to_the_living,
    each_held_frame_has_its_page,
    each_kernel_page_has_its_frame,
    kernel_pages_are_mapped,
    ranges_share_no_page,
    kernel_blocks_are_ranges,
    kernel_blocks_lie_in_the_range,
    kernel_pages_fit_their_block,
    ranges_belong_to_the_living,
    free_frames_have_no_uses,
    misbehaviour_is_past,
)
# What the components guarantee of their part of the state, as far as it matters here; only their operations change it.
GUARANTEED = (
    bitmap.free_frames_are_reached,
    bitmap.never_free_frames_are_not_free,
    bitmap.only_existing_frames_are_free,
    paging.each_page_is_a_use,
    paging.pages_belong_to_the_living,
    paging.kernel_lives,
)


# Frames


@clause("the frame is no memory yet")
def is_no_memory_yet(s: Memory, frame: Number) -> Truth:
    return neg(s.exists(frame))


@clause("nothing maps the frame")
def nothing_maps_it(s: Memory, frame: Number) -> Truth:
    return s.uses(frame << s.page_shift) == 0


@clause("no get of the frame is left")
def no_get_is_left(s: Memory, frame: Number) -> Truth:
    return s.gets(frame) == 0


@operation("manager.add", guard=[is_no_memory_yet, bitmap.adds_only_in_reach, nothing_maps_it, no_get_is_left])
def add(s: Memory, frame: Number) -> Memory:
    """At boot, a frame of usable memory is found."""
    return bitmap.add(s, frame)


def handed_out(s: Memory, frame: Number, use: Number) -> Memory:
    """The state in which a free frame has been taken for this use."""
    return replace(
        bitmap.allocate(s, frame),
        use=lambda other: when(other == frame, use, s.use(other)),
    )


def given_back(s: Memory, frame: Number) -> Memory:
    """The state in which a frame has become free. If it has uses, callers broke their contract."""
    return replace(
        bitmap.free(s, frame),
        use=lambda other: when(other == frame, UNUSED, s.use(other)),
        callers_kept_contract=lambda other: (
            s.callers_kept_contract(other) & ((other != frame) | (uses_of(s, frame) == 0))
        ),
    )


@operation("frame.allocate", guard=bitmap.allocate.guard, chooses=["frame"])
def allocate(s: Memory, frame: Number) -> Memory:
    """A free frame, any of them, is given to the caller; it fails if and only if none is free."""
    return handed_out(s, frame, GIVEN)


@clause("only what frame.allocate gave is taken back")
def takes_back_what_was_given(s: Memory, frame: Number) -> Truth:
    return s.use(frame) == GIVEN


@operation("frame.free", guard=[takes_back_what_was_given])
def free(s: Memory, frame: Number) -> Memory:
    """A frame that frame.allocate gave becomes free."""
    return given_back(s, frame)


@operation("manager.release", guard=[takes_back_what_was_given, nothing_maps_it, no_get_is_left])
def release(s: Memory, frame: Number) -> Memory:
    """A frame that frame.allocate gave becomes free once its last use is gone."""
    return given_back(s, frame)


# Tables


@operation("manager.take-table", guard=[allocates_only_free, process_lives], chooses=["frame"])
def take_table(s: Memory, frame: Number, process: Number) -> Memory:
    """A free frame is taken for a table of a process, or of the kernel half."""
    return replace(
        handed_out(s, frame, TABLE),
        owner=lambda other: when(other == frame, process, s.owner(other)),
    )


@clause("the frame holds a table")
def holds_a_table(s: Memory, frame: Number) -> Truth:
    return s.use(frame) == TABLE


@operation("manager.give-table", guard=[holds_a_table], chooses=["frame"])
def give_table(s: Memory, frame: Number) -> Memory:
    """The frame of a table that became empty is given back."""
    return given_back(s, frame)


# Processes


@operation("process.create", guard=[is_new, process_has_64_bits, allocates_only_free], chooses=["process", "frame"])
def create(s: Memory, process: Number, frame: Number) -> Memory:
    """A process begins with a frame for its PML4, an empty lower half, and no ranges."""
    return take_table(paging.begin(s, process), frame, process)


@clause("the frame holds the process's PML4")
def holds_the_root(s: Memory, process: Number, frame: Number) -> Truth:
    return holds_a_table(s, frame) & (s.owner(frame) == process)


@clause("no other table of the process is left")
def no_other_table_is_left(s: Memory, process: Number, frame: Number, table: Number) -> Truth:
    return implies(holds_the_root(s, process, table), table == frame)


@operation(
    "process.exit",
    guard=[never_exits_the_kernel, process_lives, process_maps_nothing, holds_the_root, no_other_table_is_left],
    chooses=["frame"],
)
def end(s: Memory, process: Number, frame: Number) -> Memory:
    """A process of which all pages were unmapped ends; its PML4 and its ranges go with it."""
    return replace(
        given_back(paging.end(s, process), frame),
        taken=lambda other, page: s.taken(other, page) & (other != process),
        size_at=lambda other, page: when(other == process, 0, s.size_at(other, page)),
    )
