"""The arithmetic of pages and slots: lemmas, proved here with bit vectors, that the proofs of the code assume.

The proofs of the code count with the solver's integers. Integers have no bits, so shifts and masks are unknown
functions there, of which only these lemmas (`ARITHMETIC`) are known. The division of an address into page and slot is
written `Places`: the lemmas are proved of what is computed, and assumed of unknown functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE, SCOPE
from memoracle.proofs.components.heap.law import SORTS as LAW_SORTS
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, Sort
from memoracle.proofs.symbolic.values import Condition, Function, Property, Relation, Table
from memoracle.spec.bitmap import alignment_is_a_power_of_two, is_multiple
from memoracle.spec.clauses import Number, Truth, implies

PAGE, SHIFT, SLOT = Sort("page"), Sort("shift", 63), Sort("slot", 1 << LARGEST_PAGE)
SORTS = LAW_SORTS | {"last": Sort("address"), "page": PAGE, "later": PAGE, "shift": SHIFT, "slot": SLOT, "frame": SLOT}
SORTS |= {"pages": Sort("pages", 1 << 64 - LEAST_PAGE)}
MOST_PAGES = 1 << 64 - LEAST_PAGE
MOST_ASKED = 2 * MOST_PAGES  # as many as bytes need, and as many as may have to be skipped


proved = Claims("heap", SORTS, SCOPE)
proved_of_code = Claims("heap", SORTS, SCOPE, integers=True, once=True)


@dataclass(frozen=True)
class Places:
    """Where an address lies: its page, and its slot in a page of slots of 2^shift bytes.

    begins: whether it is the first byte of its page.  starts: whether it is the first byte of its slot.
    """

    page: Function
    begins: Property
    slot: Table
    starts: Relation


def computed_places(page_shift: Number) -> Places:
    """As the code computes it."""

    def offset(address: Number) -> Number:
        return address & (1 << page_shift) - 1

    return Places(
        page=lambda address: address >> page_shift,
        begins=lambda address: address >> page_shift << page_shift == address,
        slot=lambda address, shift: offset(address) >> shift,
        starts=lambda address, shift: offset(address) >> shift << shift == offset(address),
    )


def unknown_places(run: Run) -> Places:
    """As unknown functions, of which a proof assumes the lemmas that it needs."""
    return Places(
        page=run.function("page_of", "block", gives="page"),
        begins=run.relation("begins", "block"),
        slot=run.function("slot_in", "block", "shift", high=1 << LARGEST_PAGE, gives="slot"),
        starts=run.relation("starts", "block", "shift"),
    )


# The lemmas. Each is proved of the points that `ARITHMETIC` names, or of any number where that says "any". It may be
# assumed of another number only where its premise excludes that number.


def pages_have_sizes(places: Places, page_shift: Number) -> Truth:
    """The size of a page lies in the scope, and so does the number of pages that all addresses together have."""
    size, pages = 1 << page_shift, 1 << 64 - page_shift
    return (
        (1 << LEAST_PAGE <= size) & (size <= 1 << LARGEST_PAGE) & (1 << LARGEST_PAGE <= pages) & (pages <= MOST_PAGES)
    )


def addresses_have_parts(places: Places, page_shift: Number, block: Number, shift: Number) -> Truth:
    """An address is divided into its page and its offset, and the offset into slots."""
    offset = block & (1 << page_shift) - 1
    slot = offset >> shift
    pages = (places.page(block) == block >> page_shift) & (places.begins(block) == (offset == 0))
    slots = (places.slot(block, shift) == slot) & (places.starts(block, shift) == (slot << shift == offset))
    return implies((0 <= block) & (block <= HIGHEST), pages & slots & (0 <= offset) & (offset < 1 << page_shift))


def other_numbers_have_no_page(places: Places, page_shift: Number, block: Number) -> Truth:
    """Divided by a page's size, 0 is page 0, and a number below or above all addresses is below or above all pages."""
    page = block >> page_shift
    return (
        implies(block == 0, page == 0)
        & implies(block < 0, page < 0)
        & implies(block > HIGHEST, 1 << 64 - page_shift <= page)
    )


def pages_begin_at_addresses(places: Places, page_shift: Number, page: Number) -> Truth:
    """The first address of a page, divided by the size of a page, is the page."""
    return implies((0 <= page) & (page < 1 << 64 - page_shift), page << page_shift >> page_shift == page)


def bytes_need_pages(places: Places, page_shift: Number, size: Number) -> Truth:
    """So many bytes need so many pages, and no more."""
    pages = size + (1 << page_shift) - 1 >> page_shift
    needed = (1 <= pages) & (pages - 1 << page_shift < size) & (size - 1 >> page_shift == pages - 1)
    return implies(0 < size, needed & (pages <= MOST_PAGES)) & implies(size == 0, pages == 0)


def pages_are_counted(places: Places, page_shift: Number, block: Number, size: Number) -> Truth:
    """The byte at a distance from the start of a page lies as many pages further as whole pages fit the distance."""
    fits = places.begins(block) & (0 <= size) & (size <= HIGHEST)
    return implies(fits, block + size >> page_shift == places.page(block) + (size >> page_shift))


def bytes_lie_in_pages(places: Places, page_shift: Number, size: Number, pages: Number) -> Truth:
    """A number whose quotient by the size of a page is below a number of pages is below these pages' bytes."""
    fits = (0 <= size) & (size <= HIGHEST) & (size >> page_shift < pages)
    return implies(fits, size < pages << page_shift) & (0 <= pages << page_shift)


def pages_have_bytes(places: Places, page_shift: Number, size: Number, pages: Number) -> Truth:
    """The last of so many bytes as some pages have, or fewer, lies in one of these pages."""
    return implies((1 <= size) & (size <= pages << page_shift), size - 1 >> page_shift < pages)


def blocks_lie_in_their_slots(places: Places, page_shift: Number, block: Number, last: Number, shift: Number) -> Truth:
    """A block whose last byte lies in its slot has no more bytes than the slot."""
    same = (places.page(last) == places.page(block)) & (places.slot(last, shift) == places.slot(block, shift))
    within = (shift < page_shift) & places.starts(block, shift) & (0 <= last) & (last <= HIGHEST) & same
    return implies(within, last - block < 1 << shift)


def objects_end_at_addresses(places: Places, page_shift: Number, block: Number, shift: Number) -> Truth:
    """An object has at least one byte, and its last byte has a 64-bit address."""
    is_object = (shift < page_shift) & places.starts(block, shift)
    return implies(is_object, (1 <= 1 << shift) & (block + (1 << shift) <= 1 << 64))


def slots_follow_each_other(places: Places, page_shift: Number, slot: Number, other: Number, shift: Number) -> Truth:
    """The slots of a page are in the order of their addresses."""
    return implies(shift < page_shift, (slot <= other) == (slot << shift <= other << shift))


def objects_keep_their_bytes(places: Places, page_shift: Number, block: Number, byte: Number, shift: Number) -> Truth:
    """The bytes of an object lie in its page and its slot."""
    within = (shift < page_shift) & places.starts(block, shift) & (block <= byte) & (byte < block + (1 << shift))
    within = within & (byte <= HIGHEST)
    same_slot = places.slot(byte, shift) == places.slot(block, shift)
    return implies(within, (places.page(byte) == places.page(block)) & same_slot)


def places_follow_addresses(
    places: Places, page_shift: Number, block: Number, byte: Number, last: Number, shift: Number
) -> Truth:
    """Pages are in the order of addresses, and so are the slots of one page."""
    page = places.page

    def slot(address: Number) -> Number:
        return places.slot(address, shift)

    pages = (page(block) <= page(byte)) & (page(byte) <= page(last))
    slots = (slot(block) <= slot(byte)) & (slot(byte) <= slot(last))
    between = (block <= byte) & (byte <= last) & (last <= HIGHEST)
    return implies(between, pages & implies(page(block) == page(last), slots))


def slots_have_addresses(
    places: Places, page_shift: Number, page: Number, slot: Number, shift: Number, address: Number
) -> Truth:
    """The address computed for a slot of a page lies in that page, and begins that slot."""
    is_its_address = address == (page << page_shift) + (slot << shift)
    fits = is_its_address & (shift < page_shift) & (slot < 1 << page_shift - shift) & (page < 1 << 64 - page_shift)
    found = (places.page(address) == page) & (places.slot(address, shift) == slot) & places.starts(address, shift)
    return implies(fits, found & (page <= address) & (address < 1 << 64))


def pages_have_addresses(places: Places, page_shift: Number, page: Number, address: Number) -> Truth:
    """The address computed for a page lies in that page, and begins it."""
    fits = (address == page << page_shift) & (0 <= page) & (page < 1 << 64 - page_shift)
    found = (places.page(address) == page) & places.begins(address)
    return implies(fits, found & (page <= address) & (address < 1 << 64))


def places_are_addresses(places: Places, page_shift: Number, block: Number, other: Number, shift: Number) -> Truth:
    """Two addresses that begin the same page, or the same slot of it, are equal."""
    pages = places.begins(block) & places.begins(other)
    slots = places.starts(block, shift) & places.starts(other, shift)
    same = pages | (slots & (places.slot(block, shift) == places.slot(other, shift)))
    return implies((places.page(block) == places.page(other)) & same, block == other)


def slots_lie_in_pages(places: Places, page_shift: Number, block: Number, shift: Number) -> Truth:
    """An address lies in one of the slots of its page."""
    return implies(shift < page_shift, places.slot(block, shift) < 1 << page_shift - shift)


def places_are_aligned(places: Places, page_shift: Number, block: Number, shift: Number, alignment: Number) -> Truth:
    """An address that begins a page, or a slot, is a multiple of each power of two that is no larger than these."""
    page = places.begins(block) & (alignment <= 1 << page_shift)
    slot = (shift < page_shift) & places.starts(block, shift) & (alignment <= 1 << shift)
    return implies((page | slot) & alignment_is_a_power_of_two(places, alignment), is_multiple(block, alignment))


def aligned_pages_are_near(
    places: Places, page_shift: Number, page: Number, alignment: Number, address: Number
) -> Truth:
    """From any page on, one that begins a multiple of an alignment is as near as the alignment has pages before it."""
    skipped = alignment - 1 >> page_shift
    last = page + skipped
    found = last - (last & skipped)
    near = (0 <= skipped) & (skipped <= MOST_PAGES) & (page <= found) & (found <= last)
    fits = (address == found << page_shift) & (0 <= page) & (found < 1 << 64 - page_shift)
    due = near & implies(fits, is_multiple(address, alignment))
    return implies(alignment_is_a_power_of_two(places, alignment) & (page < 1 << 64 - page_shift), due)


def pages_divide_addresses(places: Places, page_shift: Number, block: Number, page: Number) -> Truth:
    """An address lies before the first byte of a page if and only if its own page lies before that."""
    known = (0 <= block) & (block <= HIGHEST) & (0 <= page) & (page <= 1 << 64 - page_shift)
    return implies(known, (page <= places.page(block)) == (page << page_shift <= block))


def pages_divide_bounds(places: Places, page_shift: Number, end: Number, page: Number) -> Truth:
    """Pages end at a bound or before it, which may be that of all addresses, if their number is no larger than its."""
    known = (0 <= end) & (end <= HIGHEST + 1) & (0 <= page) & (page <= 1 << 64 - page_shift)
    return implies(known, (page <= end >> page_shift) == (page << page_shift <= end))


def pages_follow_addresses(places: Places, page_shift: Number, block: Number, page: Number) -> Truth:
    """An address rounded up to a page is no later than a page if and only if the address is not."""
    rounded = block + (1 << page_shift) - 1 >> page_shift
    return implies(page <= 1 << 64 - page_shift, (rounded <= page) == (block <= page << page_shift))


ARITHMETIC: dict[Condition, tuple[str, ...]] = {
    pages_have_sizes: (),
    addresses_have_parts: ("any", "shift"),
    other_numbers_have_no_page: ("any",),
    pages_begin_at_addresses: ("page",),
    pages_divide_addresses: ("any", "page"),
    pages_divide_bounds: ("any", "page"),
    pages_follow_addresses: ("block", "page"),
    bytes_need_pages: ("size",),
    pages_are_counted: ("block", "size"),
    bytes_lie_in_pages: ("size", "pages"),
    pages_have_bytes: ("size", "pages"),
    blocks_lie_in_their_slots: ("block", "last", "shift"),
    objects_end_at_addresses: ("block", "shift"),
    slots_follow_each_other: ("slot", "frame", "shift"),
    objects_keep_their_bytes: ("block", "byte", "shift"),
    places_follow_addresses: ("block", "byte", "last", "shift"),
    slots_have_addresses: ("page", "slot", "shift", "any"),
    pages_have_addresses: ("page", "any"),
    places_are_addresses: ("block", "other", "shift"),
    slots_lie_in_pages: ("block", "shift"),
    places_are_aligned: ("block", "shift", "alignment"),
    aligned_pages_are_near: ("page", "alignment", "any"),
}


def arithmetic(lemma: Condition) -> Obligation:
    """A lemma, of pages of any size in the scope and slots of any power of two."""

    @proved(f"arithmetic.{lemma.__name__.replace('_', '-')}", "theorem", prose(lemma))
    def body(run: Run) -> None:
        page_shift = run.number("page_shift", LEAST_PAGE, LARGEST_PAGE)
        points = [run.any_number("block") if each == "any" else run.point(each) for each in ARITHMETIC[lemma]]
        run.assert_goal(prose(lemma), lemma(computed_places(page_shift), page_shift, *points))

    return body
