"""The whole: what each frame is used for, and what must hold across the bitmap, the ranges and the page tables.

The state is that of the frames and of what is mapped, in one, and what only the manager knows: what it took each frame
for, which pages of the kernel's range are kernel pages, and which frame each of these holds. A frame belongs to the
kernel's image, or is free, or holds a table, or is one of kernel pages (slabs of the heap are kernel pages too), or was
given to a caller of `frame.allocate`. Every change below is a single step. What a caller asks for is a sequence of
them: kernel pages are begun, extended page by page, shrunk page by page, and ended.

Mapping does not ask who has a frame, and the allocators do not ask what is mapped. So that no frame is both free and
mapped is the callers' duty too, and the law remembers of each frame whether they behaved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec import bitmap, paging
from memoracle.spec.bitmap import Frames, allocates_only_free
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when
from memoracle.spec.kernel_half import is_new, never_exits_the_kernel, process_lives
from memoracle.spec.paging import Mappings, process_maps_nothing

UNUSED, TABLE, PAGES, GIVEN = 0, 1, 2, 3
WRITE_BACK = 6


@dataclass(frozen=True)
class Memory(Frames, Mappings):
    """State. Pages of a range are numbered from its start; process 0's range is the kernel's.

    Nobody needs to keep `behaved`, `block_of` and `page_of`.
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
    behaved: Callable[[Number], Truth]  # see `mapped` and `given_back`


def address_of(s: Memory, kernel_page: Number) -> Number:
    return s.kernel_start + (kernel_page << s.page_shift)


def uses_of(s: Memory, frame: Number) -> Number:
    """How many pages show a frame."""
    return s.uses(frame << s.page_shift)


def among(page: Number, first: Number, pages: Number) -> Truth:
    """Whether a page is one of so many from the first."""
    return (first <= page) & (page < first + pages)


def is_kernel_page(s: Memory, kernel_page: Number) -> Truth:
    first = s.block_of(0, kernel_page)
    return among(kernel_page, first, s.pages_at(first))


def is_in_kernel_block(s: Memory, kernel_page: Number) -> Truth:
    first = s.block_of(0, kernel_page)
    return among(kernel_page, first, s.block_at(first))


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
        behaved=lambda frame: True,
    )


# Invariants


@clause("a free frame is used for nothing")
def free_frames_are_unused(s: Memory, frame: Number) -> Truth:
    return implies(s.is_free(frame), s.use(frame) == UNUSED)


@clause("only memory above the kernel's image and in the bitmap's reach is used")
def only_memory_is_used(s: Memory, frame: Number) -> Truth:
    return implies(s.use(frame) != UNUSED, s.exists(frame) & (s.image <= frame) & (frame < s.reach))


@clause("every frame is free, or the kernel image's, or accounted for by a table, kernel pages or its allocation")
def every_frame_is_accounted_for(s: Memory, frame: Number) -> Truth:
    return implies(s.exists(frame) & neg(s.is_free(frame)), (frame < s.image) | (s.use(frame) != UNUSED))


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


@clause("if callers behaved, no free frame has uses")
def free_frames_have_no_uses(s: Memory, frame: Number) -> Truth:
    return implies(s.is_free(frame) & s.behaved(frame), uses_of(s, frame) == 0)


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
)
# What the components guarantee of their part of the state, as far as it matters here; only their operations change it.
GUARANTEED = (
    bitmap.free_frames_are_reached,
    bitmap.image_is_never_free,
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
    return uses_of(s, frame) == 0


@operation("manager.add", guard=[is_no_memory_yet, bitmap.adds_only_in_reach, nothing_maps_it])
def add(s: Memory, frame: Number) -> Memory:
    """At boot, a frame turns out to be usable memory."""
    return bitmap.add(s, frame)


def handed_out(s: Memory, frame: Number, use: Number) -> Memory:
    """The state in which a free frame has been taken for this use."""
    return replace(
        bitmap.allocate(s, frame),
        use=lambda other: when(other == frame, use, s.use(other)),
    )


def given_back(s: Memory, frame: Number) -> Memory:
    """The state in which a frame has become free. If pages show it, callers did not behave."""
    return replace(
        bitmap.free(s, frame),
        use=lambda other: when(other == frame, UNUSED, s.use(other)),
        behaved=lambda other: s.behaved(other) & ((other != frame) | (uses_of(s, frame) == 0)),
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


@operation("manager.release", guard=[takes_back_what_was_given, nothing_maps_it])
def release(s: Memory, frame: Number) -> Memory:
    """A frame that frame.allocate gave becomes free once nothing maps it any more."""
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


# Mapping


def mapped(
    s: Memory,
    process: Number,
    virtual: Number,
    frame: Number,
    cache: Number,
    writable: Number,
    executable: Number,
    global_: Number,
) -> Memory:
    """The state in which a page shows a frame. A caller who behaves has the frame allocated by then."""
    physical = frame << s.page_shift
    after = paging.map_page(s, process, virtual, physical, cache, writable, executable, global_)
    return replace(
        after,
        behaved=lambda other: s.behaved(other) & neg((other == frame) & s.is_free(frame)),
    )


def unmapped(s: Memory, process: Number, virtual: Number) -> Memory:
    """The state in which a page shows nothing any more. Whatever was done to a frame that no page shows is past."""
    after = paging.unmap(s, process, virtual)
    return replace(after, behaved=lambda frame: s.behaved(frame) | (uses_of(after, frame) == 0))


@clause("the frame has fewer uses than a 64-bit counter counts")
def use_can_be_counted(s: Memory, frame: Number) -> Truth:
    return uses_of(s, frame) < paging.MOST_USES


@operation("page.map", guard=[process_lives, paging.page_is_unmapped, use_can_be_counted])
def map_page(
    s: Memory,
    process: Number,
    virtual: Number,
    frame: Number,
    cache: Number,
    writable: Number,
    executable: Number,
    global_: Number,
) -> Memory:
    """A page shows a frame, whoever has that; the law of paging says which pages, frames and types can be."""
    return mapped(s, process, virtual, frame, cache, writable, executable, global_)


@clause("what kernel pages map is unmapped only with them")
def unmaps_no_kernel_page(s: Memory, process: Number, virtual: Number, kernel_page: Number) -> Truth:
    here = (paging.space_of(process, virtual) == 0) & (virtual == address_of(s, kernel_page))
    return neg(is_kernel_page(s, kernel_page) & here)


@operation("page.unmap", guard=[process_lives, paging.page_is_mapped, unmaps_no_kernel_page])
def unmap(s: Memory, process: Number, virtual: Number) -> Memory:
    """A page shows nothing any more; if that was its last use, a frame may be released."""
    return unmapped(s, process, virtual)


# Processes


@operation("process.create", guard=[is_new, allocates_only_free], chooses=["process", "frame"])
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


# Ranges. Which blocks there are is the law of buddy; here a page is in an allocated block or not


@clause("at least a page is taken")
def takes_some_pages(s: Memory, pages: Number) -> Truth:
    return 0 < pages


@clause("all pages of the block are free")
def block_is_free(s: Memory, process: Number, first: Number, pages: Number, kernel_page: Number) -> Truth:
    return implies(among(kernel_page, first, pages), neg(s.taken(process, kernel_page)))


def range_taken(s: Memory, process: Number, first: Number, pages: Number, now: Truth) -> Memory:
    def here(other: Number, page: Number) -> Truth:
        return (other == process) & among(page, first, pages)

    def begins(other: Number, page: Number) -> Truth:
        return (other == process) & (page == first)

    return replace(
        s,
        taken=lambda other, page: when(here(other, page), now, s.taken(other, page)),
        size_at=lambda other, page: when(begins(other, page), when(now, pages, 0), s.size_at(other, page)),
        block_of=lambda other, page: when(here(other, page) & now, first, s.block_of(other, page)),
    )


@operation("manager.take-range", guard=[process_lives, takes_some_pages, block_is_free], chooses=["first"])
def take_range(s: Memory, process: Number, first: Number, pages: Number) -> Memory:
    """A block of free pages of a process's range is allocated."""
    return range_taken(s, process, first, pages, True)


@clause("the block of kernel pages is freed only with them")
def frees_no_kernel_block(s: Memory, process: Number, first: Number, pages: Number, kernel_page: Number) -> Truth:
    return neg((process == 0) & among(kernel_page, first, pages) & is_in_kernel_block(s, kernel_page))


@clause("an allocated block of so many pages begins there")
def frees_a_block(s: Memory, process: Number, first: Number, pages: Number) -> Truth:
    return (0 < pages) & (s.size_at(process, first) == pages)


@operation("manager.give-range", guard=[process_lives, frees_a_block, frees_no_kernel_block])
def give_range(s: Memory, process: Number, first: Number, pages: Number) -> Memory:
    """A block of a process's range becomes free."""
    return range_taken(s, process, first, pages, False)


# Kernel pages


@clause("the first page of the kernel's block is free")
def first_page_is_free(s: Memory, first: Number) -> Truth:
    return neg(s.taken(0, first))


@clause("so are all others of the block")
def kernel_block_is_free(s: Memory, first: Number, pages: Number, kernel_page: Number) -> Truth:
    return block_is_free(s, 0, first, pages, kernel_page)


@clause("the block lies in the kernel's range")
def block_lies_in_the_range(s: Memory, first: Number, pages: Number) -> Truth:
    return (0 <= first) & (first + pages <= s.kernel_range)


@operation(
    "manager.begin-pages",
    guard=[takes_some_pages, block_lies_in_the_range, first_page_is_free, kernel_block_is_free],
    chooses=["first"],
)
def begin_pages(s: Memory, first: Number, pages: Number) -> Memory:
    """Kernel pages begin with a block of the kernel's range, which holds none of them yet."""
    return replace(
        range_taken(s, 0, first, pages, True),
        block_at=lambda other: when(other == first, pages, s.block_at(other)),
    )


@clause("the block has room for one more page")
def block_has_room(s: Memory, first: Number) -> Truth:
    return s.pages_at(first) < s.block_at(first)


@clause("nothing is mapped yet where the next kernel page comes")
def next_page_is_unmapped(s: Memory, first: Number) -> Truth:
    return paging.page_is_unmapped(s, 0, address_of(s, first + s.pages_at(first)))


@operation(
    "manager.extend-pages",
    guard=[block_has_room, allocates_only_free, next_page_is_unmapped, use_can_be_counted],
    chooses=["frame"],
)
def extend_pages(s: Memory, first: Number, frame: Number) -> Memory:
    """One more page gets a free frame of its own, and shows it."""
    page = first + s.pages_at(first)
    after = mapped(handed_out(s, frame, PAGES), 0, address_of(s, page), frame, WRITE_BACK, 1, 1, 0)
    return replace(
        after,
        pages_at=lambda other: s.pages_at(other) + when(other == first, 1, 0),
        frame_at=lambda other: when(other == page, frame, s.frame_at(other)),
        page_of=lambda other: when(other == frame, page, s.page_of(other)),
    )


@clause("a kernel page is left")
def a_page_is_left(s: Memory, first: Number) -> Truth:
    return 0 < s.pages_at(first)


@operation("manager.shrink-pages", guard=[a_page_is_left])
def shrink_pages(s: Memory, first: Number) -> Memory:
    """The last of the kernel pages is unmapped, and its frame given back."""
    page = first + s.pages_at(first) - 1
    return replace(
        given_back(unmapped(s, 0, address_of(s, page)), s.frame_at(page)),
        pages_at=lambda other: s.pages_at(other) - when(other == first, 1, 0),
    )


@clause("a block of kernel pages begins here, and none of them is left")
def only_the_block_is_left(s: Memory, first: Number) -> Truth:
    return (0 < s.block_at(first)) & (s.pages_at(first) == 0)


@operation("manager.end-pages", guard=[only_the_block_is_left])
def end_pages(s: Memory, first: Number) -> Memory:
    """The block goes back to the kernel's range."""
    return replace(
        range_taken(s, 0, first, s.block_at(first), False),
        block_at=lambda other: when(other == first, 0, s.block_at(other)),
    )


OPERATIONS = (
    add,
    allocate,
    free,
    release,
    take_table,
    give_table,
    map_page,
    unmap,
    create,
    end,
    take_range,
    give_range,
    begin_pages,
    extend_pages,
    shrink_pages,
    end_pages,
)


# Theorems


@clause("if each frame was allocated when it was mapped and not given back since, none is both free and mapped")
def no_frame_is_free_and_mapped(s: Memory, space: Number, page: Number, frame: Number) -> Truth:
    shown = s.is_mapped(space, page) & (s.physical(space, page) == frame << s.page_shift)
    return implies(s.behaved(frame), neg(shown & s.is_free(frame)))


@clause("no frame holds a table and is free, or handed out to anybody else")
def tables_are_apart(s: Memory, frame: Number, kernel_page: Number) -> Truth:
    held = is_kernel_page(s, kernel_page) & (s.frame_at(kernel_page) == frame)
    others = s.is_free(frame) | (frame < s.image) | takes_back_what_was_given(s, frame) | held
    return implies(holds_a_table(s, frame), neg(others))


@clause("no two kernel pages hold the same frame")
def kernel_pages_share_no_frame(s: Memory, kernel_page: Number, second: Number) -> Truth:
    both = is_kernel_page(s, kernel_page) & is_kernel_page(s, second) & (kernel_page != second)
    return implies(both, s.frame_at(kernel_page) != s.frame_at(second))


@clause("what is not free is the kernel's, a live process's table, or a frame.allocate not yet undone")
def only_the_living_hold_memory(s: Memory, frame: Number) -> Truth:
    kernels = (frame < s.image) | (s.use(frame) == PAGES)
    tables = holds_a_table(s, frame) & s.lives(s.owner(frame))
    held = kernels | tables | takes_back_what_was_given(s, frame)
    return implies(s.exists(frame) & neg(s.is_free(frame)), held)


@clause("the blocks of kernel pages are disjoint, and taken of the kernel's range")
def kernel_blocks_are_disjoint(s: Memory, first: Number, kernel_page: Number) -> Truth:
    inside = among(kernel_page, first, s.block_at(first))
    return implies(inside, (s.block_of(0, kernel_page) == first) & s.taken(0, kernel_page))


THEOREMS = (
    no_frame_is_free_and_mapped,
    tables_are_apart,
    kernel_pages_share_no_frame,
    only_the_living_hold_memory,
    kernel_blocks_are_disjoint,
)


# Theorems about what an operation leaves


@clause("of a process that exited no table, no range and no mapping is left")
def nothing_of_it_is_left(s: Memory, process: Number, table: Number, kernel_page: Number, page: Number) -> Truth:
    return neg(holds_the_root(s, process, table) | s.taken(process, kernel_page) | s.is_mapped(process, page))
