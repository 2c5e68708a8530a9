"""A slab: one page of slots of equal size, with what describes them at its start.

A slot is a power of two bytes, and the page is cut into slots from its first byte to its last; so a slot is aligned to
its own size, and to whatever a size that fits in it is naturally aligned to. The page begins with a header of fixed
size, then comes a bitmap with a bit for each slot. The slots that header and bitmap touch are never handed out: they
are never free by the bitmap's law (`spec/bitmap.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from memoracle.spec.bitmap import Frames
from memoracle.spec.clauses import Number, Truth, clause, implies

HEADER = 16  # bytes: the slot's size, and how many slots are free
LEAST_OBJECTS = 2  # in a page that is worth a slab


@dataclass(frozen=True)
class Layout:
    """The layout of a slab. Offsets are bytes from the page's first."""

    page_shift: Number  # the binary logarithms of the bytes of a page and of a slot
    slot_shift: Number
    slots: Number  # in the page
    bitmap: Number  # bytes of the bitmap, which follows the header
    first: Number  # the offset of the first slot that is an object
    objects: Number  # in the page


def start_of(s: Layout, place: Number) -> Number:
    """The offset of an object, counted from 0."""
    return s.first + (place << s.slot_shift)


@clause("a page is its slots")
def page_is_its_slots(s: Layout) -> Truth:
    return s.slots << s.slot_shift == 1 << s.page_shift


@clause("the bitmap is whole words, with a bit for each slot")
def bitmap_has_a_bit_for_each_slot(s: Layout) -> Truth:
    return (s.bitmap & 7 == 0) & (s.slots <= s.bitmap << 3)


@clause("the bitmap has no more words than it needs")
def bitmap_has_no_word_too_many(s: Layout) -> Truth:
    return s.bitmap << 3 < s.slots + 64


@clause("objects are clear of the header and the bitmap")
def objects_are_clear_of_the_header(s: Layout) -> Truth:
    return HEADER + s.bitmap <= s.first


@clause("no slot is lost between the bitmap and the first object")
def no_slot_is_lost(s: Layout) -> Truth:
    return s.first < HEADER + s.bitmap + (1 << s.slot_shift)


@clause("every object lies in the page")
def objects_lie_in_the_page(s: Layout, place: Number) -> Truth:
    inside = start_of(s, place) + (1 << s.slot_shift) <= 1 << s.page_shift
    return implies((0 <= place) & (place < s.objects), inside)


@clause("objects fill the page: the last ends where it does")
def objects_fill_the_page(s: Layout) -> Truth:
    return start_of(s, s.objects) == 1 << s.page_shift


@clause("an object starts at a multiple of its size")
def objects_are_aligned(s: Layout, place: Number) -> Truth:
    return implies((0 <= place) & (place < s.objects), start_of(s, place) & (1 << s.slot_shift) - 1 == 0)


@clause("each object begins where the one before it ends")
def objects_are_disjoint(s: Layout, place: Number) -> Truth:
    end = start_of(s, place) + (1 << s.slot_shift)
    return implies((0 <= place) & (place < s.objects), start_of(s, place + 1) == end)


@clause("a slab has two objects or more")
def is_worth_a_slab(s: Layout) -> Truth:
    return s.objects >= LEAST_OBJECTS


THEOREMS = (
    page_is_its_slots,
    bitmap_has_a_bit_for_each_slot,
    bitmap_has_no_word_too_many,
    objects_are_clear_of_the_header,
    no_slot_is_lost,
    objects_lie_in_the_page,
    objects_fill_the_page,
    objects_are_aligned,
    objects_are_disjoint,
    is_worth_a_slab,
)


# What the bitmap of a slab tells by its count


@clause("if as many slots are free as there are objects, every object is free")
def counts_every_object(s: Frames, head: Number, frame: Number) -> Truth:
    object_ = (head <= frame) & (frame < s.reach)
    return implies((s.count == s.reach - head) & object_, s.is_free(frame))
