"""A slab: one page cut into slots of a power of two bytes, with a header and a bitmap in its first slots.

The bitmap is that of `impl/bitmap.py`: the slots under header and bitmap are never free, the others are objects.
"""

from __future__ import annotations

from typing import NamedTuple

from memoracle.impl.bitmap import Bitmap

HEADER = 16  # bytes, two words: the slot's size, and how many slots are free
LEAST_OBJECTS = 2  # of a class of which a page holds fewer, blocks are whole pages


class Layout(NamedTuple):
    """Where things lie in a slab. Offsets are bytes from the start of its page."""

    page_shift: int  # the binary logarithms of the bytes of a page and of a slot
    slot_shift: int
    slots: int  # in the page
    bitmap: int  # bytes of the bitmap, which follows the header: 64-bit words
    first: int  # the offset of the first object
    objects: int  # in the page


def layout(page_shift: int, slot_shift: int) -> Layout | None:
    """The layout of a page as a slab; None if it has no room for two objects.

    pre: 0 <= page_shift and 0 <= slot_shift
    post: __return__ is None or (__return__.page_shift, __return__.slot_shift) == (page_shift, slot_shift)
    post: __return__ is None or __return__.slots * 2**slot_shift == 2**page_shift
    post: __return__ is None or __return__.slots <= 8 * __return__.bitmap < __return__.slots + 64
    post: __return__ is None or 0 <= __return__.first - 16 - __return__.bitmap < 2**slot_shift
    post: __return__ is None or __return__.first + __return__.objects * 2**slot_shift == 2**page_shift
    post: __return__ is None or __return__.objects >= 2
    post: __return__ is not None or 2**page_shift - 2 * 2**slot_shift < 16 + (2**page_shift // 2**slot_shift + 63) // 64 * 8
    """  # noqa: E501
    if slot_shift >= page_shift:
        return None
    slots = 1 << page_shift - slot_shift
    bitmap = slots + 63 >> 6 << 3
    under_header = HEADER + bitmap + (1 << slot_shift) - 1 >> slot_shift
    objects = slots - under_header
    if objects < LEAST_OBJECTS:
        return None
    return Layout(page_shift, slot_shift, slots, bitmap, under_header << slot_shift, objects)


class Slab:
    """A slab's objects: which are taken.

    inv: 0 <= self.bitmap.count() <= self.layout.objects
    """

    def __init__(self, layout: Layout) -> None:
        """Every object is free.

        post: self.layout == layout and self.is_empty()
        post: all(self.bitmap.is_free(s) == (s << layout.slot_shift >= layout.first) for s in range(layout.slots))
        """
        self.layout = layout
        head = layout.first >> layout.slot_shift
        self.bitmap = Bitmap(layout.slots, [(0, head)])
        self.bitmap.add(head, layout.slots)

    def is_empty(self) -> bool:
        """Whether every object is free.

        post: __return__ == (self.bitmap.count() == self.layout.objects)
        """
        return self.bitmap.count() == self.layout.objects

    def is_full(self) -> bool:
        """Whether every object is taken.

        post: __return__ == (self.bitmap.count() == 0)
        """
        return self.bitmap.count() == 0

    def take(self) -> int | None:
        """Takes the lowest free object, and returns its offset; None if every object is taken.

        post: (__return__ is None) == (__old__.self.bitmap.count() == 0)
        post: __return__ is None or self.layout.first <= __return__ < 1 << self.layout.page_shift
        post: __return__ is None or __return__ % (1 << self.layout.slot_shift) == 0
        post: __return__ is None or _is_free(__old__.self, __return__)
        post: __return__ is None or not _is_free(self, __return__)
        post: self.bitmap.count() == __old__.self.bitmap.count() - (__return__ is not None)
        """
        slot = self.bitmap.allocate()
        return None if slot is None else slot << self.layout.slot_shift

    def give(self, offset: int) -> bool:
        """Frees the object at an offset within the page; False if no object that is taken starts there.

        post: not __return__ or self.layout.first <= offset and offset % (1 << self.layout.slot_shift) == 0
        post: not __return__ or not _is_free(__old__.self, offset)
        post: __return__ or offset % 2**self.layout.slot_shift or _is_no_object(self, offset) or _is_free(self, offset)
        post: not __return__ or _is_free(self, offset)
        post: self.bitmap.count() == __old__.self.bitmap.count() + __return__
        """
        slot = offset >> self.layout.slot_shift
        return slot << self.layout.slot_shift == offset and self.bitmap.free(slot)

    def is_taken(self, offset: int) -> bool:
        """Whether an object that is taken starts at an offset within the page.

        post: not __return__ or self.layout.first <= offset and offset % (1 << self.layout.slot_shift) == 0
        post: __return__ or offset % 2**self.layout.slot_shift or _is_no_object(self, offset) or _is_free(self, offset)
        post: not __return__ or not _is_free(self, offset)
        """
        slot = offset >> self.layout.slot_shift
        starts = slot << self.layout.slot_shift == offset
        is_object = self.layout.first <= offset < 1 << self.layout.page_shift
        return starts and is_object and not self.bitmap.is_free(slot)


# Helpers of the contracts


def _is_no_object(slab: Slab, offset: int) -> bool:
    """Whether an offset lies under the slab's header, or outside its page."""
    return not slab.layout.first <= offset < 1 << slab.layout.page_shift


def _is_free(slab: Slab, offset: int) -> bool:
    return slab.bitmap.is_free(offset >> slab.layout.slot_shift)
