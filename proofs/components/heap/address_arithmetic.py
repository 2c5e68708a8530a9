"""Where an address lies, computed or unknown: the arithmetic of pages and slots, proved once.

The proof that `new` hands out free bytes needs of shifts and masks only what is stated here (`ARITHMETIC`).
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
from memoracle.spec.clauses import Number, Truth, implies

PAGE, SHIFT, SLOT = Sort("page"), Sort("shift", 63), Sort("slot", 1 << LARGEST_PAGE)
SORTS = LAW_SORTS | {"last": Sort("address"), "page": PAGE, "later": PAGE, "shift": SHIFT, "slot": SLOT, "frame": SLOT}
MOST_PAGES = 1 << 64 - LEAST_PAGE


proved = Claims("heap", SORTS, SCOPE)


@dataclass(frozen=True)
class Places:
    """Where an address lies: its page, and its slot in a page of slots of 2^shift bytes.

    begins: whether it is the first byte of its page.  starts: whether it is the first byte of its slot.
    """

    page: Function
    begins: Property
    slot: Table
    starts: Relation


def exact(page_shift: Number) -> Places:
    """As it is computed."""

    def offset(address: Number) -> Number:
        return address & (1 << page_shift) - 1

    return Places(
        page=lambda address: address >> page_shift,
        begins=lambda address: address >> page_shift << page_shift == address,
        slot=lambda address, shift: offset(address) >> shift,
        starts=lambda address, shift: offset(address) >> shift << shift == offset(address),
    )


def opaque(run: Run) -> Places:
    """Unknown, but for what is taken as given, which is proved of what is computed (`ARITHMETIC`)."""
    return Places(
        page=run.function("page_of", "block", gives="page"),
        begins=run.relation("begins", "block"),
        slot=run.function("slot_in", "block", "shift", high=1 << LARGEST_PAGE, gives="slot"),
        starts=run.relation("starts", "block", "shift"),
    )


# Arithmetic, proved once


def objects_keep_their_bytes(places: Places, page_shift: Number, block: Number, byte: Number, shift: Number) -> Truth:
    """The bytes of an object lie in its page and its slot."""
    within = (shift < page_shift) & places.starts(block, shift) & (block <= byte) & (byte < block + (1 << shift))
    within = within & (byte <= HIGHEST)
    same_slot = places.slot(byte, shift) == places.slot(block, shift)
    return implies(within, (places.page(byte) == places.page(block)) & same_slot)


def places_follow_addresses(
    places: Places, page_shift: Number, block: Number, byte: Number, last: Number, shift: Number
) -> Truth:
    """Pages follow each other as addresses do, and so do the slots of a page."""
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
    """The address of a slot leads back to its page and its slot."""
    is_its_address = address == (page << page_shift) + (slot << shift)
    fits = is_its_address & (shift < page_shift) & (slot < 1 << page_shift - shift) & (page < 1 << 64 - page_shift)
    found = (places.page(address) == page) & (places.slot(address, shift) == slot) & places.starts(address, shift)
    return implies(fits, found & (address < 1 << 64))


def pages_have_addresses(places: Places, page_shift: Number, page: Number, size: Number, address: Number) -> Truth:
    """The address of a page leads back to it, and so many bytes from there end in the last page that they need."""
    pages = size + (1 << page_shift) - 1 >> page_shift
    ends = implies(0 < size, places.page(address + size - 1) < page + pages)
    fits = (address == page << page_shift) & (page < 1 << 64 - page_shift) & (page + pages <= 1 << 64 - page_shift)
    return implies(fits, (places.page(address) == page) & places.begins(address) & ends)


def places_are_addresses(places: Places, page_shift: Number, block: Number, other: Number, shift: Number) -> Truth:
    """Two addresses that begin one page, or one slot of it, are one address."""
    pages = places.begins(block) & places.begins(other)
    slots = places.starts(block, shift) & places.starts(other, shift)
    same = pages | (slots & (places.slot(block, shift) == places.slot(other, shift)))
    return implies((places.page(block) == places.page(other)) & same, block == other)


def slots_lie_in_pages(places: Places, page_shift: Number, block: Number, shift: Number) -> Truth:
    """An address lies in one of the slots of its page."""
    return implies(shift < page_shift, places.slot(block, shift) < 1 << page_shift - shift)


ARITHMETIC: dict[Condition, tuple[str, ...]] = {
    objects_keep_their_bytes: ("block", "byte", "shift"),
    places_follow_addresses: ("block", "byte", "last", "shift"),
    slots_have_addresses: ("page", "slot", "shift", "block"),
    pages_have_addresses: ("page", "size", "block"),
    places_are_addresses: ("block", "other", "shift"),
    slots_lie_in_pages: ("block", "shift"),
}


def arithmetic(lemma: Condition) -> Obligation:
    """Pages and slots are powers of two, of any size."""

    @proved(f"arithmetic.{lemma.__name__.replace('_', '-')}", "theorem", prose(lemma))
    def body(run: Run) -> None:
        page_shift = run.number("page_shift", LEAST_PAGE, LARGEST_PAGE)
        points = [run.point(parameter) for parameter in ARITHMETIC[lemma]]
        run.assert_goal(prose(lemma), lemma(exact(page_shift), page_shift, *points))

    return body
