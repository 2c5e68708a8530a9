"""What is mapped: which page of which address space shows which frame, and how many pages show each frame.

The lower half of the addresses is each process's own. The upper half is the kernel's, and the same in every process:
what is mapped there appears in all of them, and counts as process 0's. A page is named by the address of its first
byte, and so is a frame. A page that is mapped to a frame shows it. Mapping does not ask whether the frame or the page
is allocated: that is the caller's concern (see manager). But it counts: a frame's uses are the pages that show it, so
that the last unmap can free it. Frames past the bitmap (a device's) are mapped and unmapped without being counted, and
so is whatever the kernel's direct map shows: that is a piece of the upper half by which it reaches all memory.

How page tables say all this to the processor is the concern of tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec import addresses, pat
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when
from memoracle.spec.kernel_half import is_new, never_exits_the_kernel, process_has_64_bits, process_lives

HALF = 1 << 63  # canonical addresses below are the lower half's
MOST_USES = (1 << 64) - 1


@dataclass(frozen=True)
class Mappings:
    """State. The functions of a page are of the space that it belongs to and its address.

    An implementation need not keep the last three: they number the pages that show a frame, from 0, and say which page
    has a number.
    """

    page_shift: Number  # a page, and a frame, is 2^page_shift bytes
    physical_bits: Number  # of physical addresses: MAXPHYADDR
    pat_register: Number
    counted: Number  # the uses of frames below this physical address are counted
    direct_start: Number  # the pages of the direct map lie at this address or above,
    direct_end: Number  # and below this one; none if that is no larger
    lives: Callable[[Number], Truth]
    is_mapped: Callable[[Number, Number], Truth]
    physical: Callable[[Number, Number], Number]  # the frame that a page shows
    cache: Callable[[Number, Number], Number]  # its memory type
    writable: Callable[[Number, Number], Number]  # 1 if its bytes may be written, else 0
    executable: Callable[[Number, Number], Number]
    global_: Callable[[Number, Number], Number]
    uses: Callable[[Number], Number]  # of a frame
    number_of: Callable[[Number, Number], Number]  # of a page, among those that show its frame
    space_numbered: Callable[[Number, Number], Number]  # of a frame and a number
    page_numbered: Callable[[Number, Number], Number]


def is_lower(address: Number) -> Truth:
    return (0 <= address) & (address < HALF)


def space_of(process: Number, address: Number) -> Number:
    """The space that an address belongs to: the process's own, or the kernel's."""
    space: Number = when(is_lower(address), process, 0)
    return space


def is_counted(s: Mappings, physical: Number) -> Truth:
    return physical < s.counted


def is_direct(s: Mappings, page: Number) -> Truth:
    """Whether a page is the direct map's."""
    return neg(is_lower(page)) & (s.direct_start <= page) & (page < s.direct_end)


def is_use(s: Mappings, page: Number, physical: Number) -> Truth:
    """Whether a page that shows a frame is one of its uses."""
    return is_counted(s, physical) & neg(is_direct(s, page))


def start_of(s: Mappings, address: Number) -> Number:
    """The first byte of the page, or the frame, in which an address lies."""
    return (address >> s.page_shift) << s.page_shift


def shows(s: Mappings, process: Number, page: Number) -> Truth:
    """Whether anything is mapped at a page of a process."""
    return s.is_mapped(space_of(process, page), page)


# Initially


def unmapped(
    page_shift: Number,
    physical_bits: Number,
    pat_register: Number,
    counted: Number,
    direct_start: Number = 0,
    direct_end: Number = 0,
) -> Mappings:
    """Nothing is mapped, and only the kernel lives."""
    return Mappings(
        page_shift=page_shift,
        physical_bits=physical_bits,
        pat_register=pat_register,
        counted=counted,
        direct_start=direct_start,
        direct_end=direct_end,
        lives=lambda process: process == 0,
        is_mapped=lambda space, page: False,
        physical=lambda space, page: 0,
        cache=lambda space, page: 0,
        writable=lambda space, page: 0,
        executable=lambda space, page: 0,
        global_=lambda space, page: 0,
        uses=lambda physical: 0,
        number_of=lambda space, page: 0,
        space_numbered=lambda physical, number: 0,
        page_numbered=lambda physical, number: 0,
    )


# Invariants


@clause("each page that shows a counted frame, but those of the direct map, is one of its uses")
def each_page_is_a_use(s: Mappings, space: Number, page: Number) -> Truth:
    physical, number = s.physical(space, page), s.number_of(space, page)
    named = (s.space_numbered(physical, number) == space) & (s.page_numbered(physical, number) == page)
    return implies(s.is_mapped(space, page) & is_use(s, page, physical), (number < s.uses(physical)) & named)


@clause("each use of a frame is a page that shows it, and not one of the direct map")
def each_use_is_a_page(s: Mappings, physical: Number, number: Number) -> Truth:
    space, page = s.space_numbered(physical, number), s.page_numbered(physical, number)
    is_it = (s.physical(space, page) == physical) & (s.number_of(space, page) == number)
    is_mapped = s.is_mapped(space, page) & neg(is_direct(s, page))
    return implies((0 <= number) & (number < s.uses(physical)), is_mapped & is_it)


@clause("no use is counted of a frame that the bitmap does not reach")
def devices_are_not_counted(s: Mappings, physical: Number) -> Truth:
    return implies(neg(is_counted(s, physical)), s.uses(physical) == 0)


@clause("only live processes map anything, and the upper half is the kernel's")
def pages_belong_to_the_living(s: Mappings, space: Number, page: Number) -> Truth:
    return implies(s.is_mapped(space, page), s.lives(space) & (is_lower(page) | (space == 0)))


@clause("the kernel's own process always lives")
def kernel_lives(s: Mappings) -> Truth:
    return s.lives(0)


@clause("only pages with canonical addresses are mapped")
def only_pages_are_mapped(s: Mappings, space: Number, page: Number) -> Truth:
    return implies(s.is_mapped(space, page), addresses.address_is_aligned(s, page) & addresses.is_canonical(page))


INVARIANTS = (
    each_page_is_a_use,
    each_use_is_a_page,
    devices_are_not_counted,
    pages_belong_to_the_living,
    kernel_lives,
    only_pages_are_mapped,
)


# Operations


@clause("the page's address is a multiple of the page size")
def page_is_aligned(s: Mappings, virtual: Number) -> Truth:
    return addresses.address_is_aligned(s, virtual)


@clause("the page's address is canonical: bits 63 to 47 are equal")
def page_is_canonical(s: Mappings, virtual: Number) -> Truth:
    return addresses.is_canonical(virtual)


@clause("the frame's address is a multiple of the page size")
def frame_is_aligned(s: Mappings, physical: Number) -> Truth:
    return addresses.address_is_aligned(s, physical)


@clause("the frame's address has no more bits than the processor's physical addresses")
def frame_is_addressable(s: Mappings, physical: Number) -> Truth:
    return (0 <= physical) & (physical >> s.physical_bits == 0)


@clause("some index of the page attribute table has the memory type")
def type_is_available(s: Mappings, cache: Number) -> Truth:
    return pat.is_available(s.pat_register, cache, False)


@clause("the frame has fewer uses than a 64-bit counter counts")
def use_can_be_counted(s: Mappings, physical: Number) -> Truth:
    return s.uses(physical) < MOST_USES


@clause("the page is not mapped yet")
def page_is_unmapped(s: Mappings, process: Number, virtual: Number) -> Truth:
    return neg(shows(s, process, virtual))


@operation(
    "page.map",
    guard=[
        process_lives,
        page_is_aligned,
        page_is_canonical,
        frame_is_aligned,
        frame_is_addressable,
        type_is_available,
        page_is_unmapped,
        use_can_be_counted,
    ],
)
def map_page(
    s: Mappings,
    process: Number,
    virtual: Number,
    physical: Number,
    cache: Number,
    writable: Number,
    executable: Number,
    global_: Number,
) -> Mappings:
    """The page shows this frame, in every process if it is one of the upper half, and the frame has one more use.

    A page of the direct map is no use.

    It may fail although all this holds, when there is no frame for a table.
    """
    owner, uses = space_of(process, virtual), s.uses(physical)
    counts = is_use(s, virtual, physical)

    def here(space: Number, page: Number) -> Truth:
        return (space == owner) & (page == virtual)

    def newest(frame: Number, number: Number) -> Truth:
        return counts & (frame == physical) & (number == uses)

    return replace(
        s,
        is_mapped=lambda space, page: s.is_mapped(space, page) | here(space, page),
        physical=lambda space, page: when(here(space, page), physical, s.physical(space, page)),
        cache=lambda space, page: when(here(space, page), cache, s.cache(space, page)),
        writable=lambda space, page: when(here(space, page), writable, s.writable(space, page)),
        executable=lambda space, page: when(here(space, page), executable, s.executable(space, page)),
        global_=lambda space, page: when(here(space, page), global_, s.global_(space, page)),
        uses=lambda frame: when(counts & (frame == physical), uses + 1, s.uses(frame)),
        number_of=lambda space, page: when(here(space, page) & counts, uses, s.number_of(space, page)),
        space_numbered=lambda frame, number: when(newest(frame, number), owner, s.space_numbered(frame, number)),
        page_numbered=lambda frame, number: when(newest(frame, number), virtual, s.page_numbered(frame, number)),
    )


@clause("the page is mapped")
def page_is_mapped(s: Mappings, process: Number, virtual: Number) -> Truth:
    return shows(s, process, virtual)


@operation("page.unmap", guard=[process_lives, page_is_aligned, page_is_canonical, page_is_mapped])
def unmap(s: Mappings, process: Number, virtual: Number) -> Mappings:
    """The page shows nothing any more, and its frame has one use less; the newest use takes over the number of this."""
    owner = space_of(process, virtual)
    frame, number = s.physical(owner, virtual), s.number_of(owner, virtual)
    counts, newest = is_use(s, virtual, frame), s.uses(frame) - 1
    heir_space, heir_page = s.space_numbered(frame, newest), s.page_numbered(frame, newest)

    def heir(space: Number, page: Number) -> Truth:
        return counts & (space == heir_space) & (page == heir_page)

    def inherited(physical: Number, at: Number) -> Truth:
        return counts & (physical == frame) & (at == number)

    return replace(
        s,
        is_mapped=lambda space, page: s.is_mapped(space, page) & neg((space == owner) & (page == virtual)),
        uses=lambda physical: when(counts & (physical == frame), newest, s.uses(physical)),
        number_of=lambda space, page: when(heir(space, page), number, s.number_of(space, page)),
        space_numbered=lambda physical, at: when(inherited(physical, at), heir_space, s.space_numbered(physical, at)),
        page_numbered=lambda physical, at: when(inherited(physical, at), heir_page, s.page_numbered(physical, at)),
    )


@operation("paging.begin", guard=[is_new, process_has_64_bits], chooses=["process"])
def begin(s: Mappings, process: Number) -> Mappings:
    """A process begins with nothing mapped in its lower half, and the kernel's upper half."""
    return replace(s, lives=lambda other: s.lives(other) | (other == process))


@clause("the process maps nothing any more")
def process_maps_nothing(s: Mappings, process: Number, page: Number) -> Truth:
    return neg(s.is_mapped(process, page))


@operation("paging.end", guard=[never_exits_the_kernel, process_lives, process_maps_nothing])
def end(s: Mappings, process: Number) -> Mappings:
    """A process whose pages have all been unmapped ends."""
    return replace(s, lives=lambda other: s.lives(other) & (other != process))


OPERATIONS = (map_page, unmap, begin, end)


@clause("a page of which nothing else is said may be written and executed, and is not global")
def is_allowed_by_default(s: object, writable: Truth, executable: Truth, global_: Truth) -> Truth:
    return writable & executable & neg(global_)


# Queries


@clause("an address translates to the byte of the frame that its page shows")
def translates_what_is_mapped(s: Mappings, process: Number, virtual: Number, physical: Number) -> Truth:
    page = start_of(s, virtual)
    return shows(s, process, page) & (physical == s.physical(space_of(process, page), page) + (virtual - page))


@clause("only an address where nothing is mapped has no translation, and no attributes")
def nothing_is_mapped(s: Mappings, process: Number, virtual: Number) -> Truth:
    return neg(shows(s, process, start_of(s, virtual)))


@clause("the attributes are those that the page was mapped with; the lower half is the user's")
def attributes_are_the_mappings(
    s: Mappings,
    process: Number,
    virtual: Number,
    cache: Number,
    writable: Number,
    user: Number,
    executable: Number,
    global_: Number,
) -> Truth:
    page = start_of(s, virtual)
    space = space_of(process, page)
    allowed = (s.writable(space, page) == writable) & (s.executable(space, page) == executable)
    kept = (s.cache(space, page) == cache) & (s.global_(space, page) == global_)
    lower: Number = when(is_lower(virtual), 1, 0)
    return shows(s, process, page) & allowed & kept & (user == lower)
