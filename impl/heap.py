"""The kernel's heap: small blocks are objects of slabs, larger ones are whole pages.

A class of blocks is a power of two bytes: the geometry's sizes are rounded up, so that an object has the natural
alignment of every size that fits in it. A class of which a page holds fewer than two objects is served in whole pages.

For each run of pages that it gets, the heap keeps a note of where the run begins and how long it is. Notes lie in pages
of the heap too, and such a page needs a note itself. So the heap keeps one note in reserve, which is used only for a
page of notes: getting pages takes at most one page more, and never needs itself first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from sortedcontainers import SortedSet

from memoracle.impl.bitmap import is_power_of_two
from memoracle.impl.slab import Slab, layout

LEAST_SHIFT = 3  # every block is aligned to 8 bytes at least
NOTE_SHIFT = 4  # a note is two words: where a run of pages begins, and how many pages it has
IMAGE_NOTE = 0  # the first note lies in no page of notes, but in the kernel's image


class Pages(Protocol):
    """What a heap gets its pages from."""

    def allocate_pages(self, pages: int) -> int | None:
        """Allocates this many consecutive pages, and returns their address; None if there are none."""

    def free_pages(self, address: int, pages: int) -> bool:
        """Frees pages that `allocate_pages` returned."""


class Heap:
    """A heap. Numbers of pages are addresses divided by the page size.

    slabs: by page.  large: by first page, how many pages a block has that is not an object of a slab: all of its run
    from there on.  run_of: likewise, the first page of its run.
    notes: by the first page of each run that the heap has, the address of its note.  spare: the notes that no run has,
    without the one in reserve.
    room: by the binary logarithm of the class, the pages of its slabs with a free object.  empty: likewise, the page of
    the empty slab that is kept.

    inv: not {self.reserve, *self.notes.values()} & {*self.spare} and self.reserve not in self.notes.values()
    inv: self.run_of.keys() == self.large.keys() and len({*self.run_of.values()}) == len(self.large)
    inv: self.notes.keys() >= self.slabs.keys() | {*self.run_of.values()}
    inv: not self.slabs.keys() & (self.large.keys() | {*self.run_of.values()})
    inv: all((page in self.room[slab.layout.slot_shift]) == (not slab.is_full()) for page, slab in self.slabs.items())
    inv: sorted(self.empty.values()) == sorted(page for page, slab in self.slabs.items() if slab.is_empty())
    inv: all(self.slabs[page].layout.slot_shift == slot for slot, page in self.empty.items())
    """

    def __init__(self, pages: Pages, classes: Sequence[int], page_size: int, alignment: int | None) -> None:
        """No block is live, and no page has been allocated.

        classes: the sizes of blocks to be served from slabs, in bytes.  alignment: of every block in bytes, a power of
        two and no more than a page; None: a block is aligned to the largest power of two that divides its size, at
        least 8, at most a page.  Shared on purpose: pages.

        pre: is_power_of_two(page_size) and layout(page_size.bit_length() - 1, NOTE_SHIFT) is not None
        pre: alignment is None or alignment <= page_size and is_power_of_two(alignment)
        post: not self.slabs and not self.large and self.page_shift == page_size.bit_length() - 1
        post: all(self.slot_for(size, 1) == 0 or size <= 1 << self.slot_for(size, 1) for size in range(page_size + 2))
        post: all(self.slot_for(size, 1) in (0, *range(self.least, 64)) for size in range(page_size + 2))
        post: 2**self.least == max(8, alignment or 8)
        """
        self.pages = pages
        self.page_shift = page_size.bit_length() - 1
        self.least = LEAST_SHIFT if alignment is None else max(LEAST_SHIFT, alignment.bit_length() - 1)
        shifts = [max(self.least, (size - 1).bit_length()) for size in classes]
        found = [layout(self.page_shift, shift) for shift in shifts]
        self.layouts = {each.slot_shift: each for each in found if each is not None}
        # By the binary logarithm of a size that is a power of two: that of the class that serves it, or 0.
        self.served = [min((s for s in self.layouts if s >= shift), default=0) for shift in range(self.page_shift + 1)]
        self.room = [SortedSet() for _ in range(self.page_shift + 1)]
        self.empty: dict[int, int] = {}
        self.slabs: dict[int, Slab] = {}
        self.large: dict[int, int] = {}
        self.run_of: dict[int, int] = {}
        self.notes: dict[int, int] = {}
        self.spare: list[int] = []
        self.reserve = IMAGE_NOTE

    def new(self, size: int, alignment: int = 1) -> int | None:
        """Allocates a block of this many bytes, from the lowest slab of its class that has room; None if no pages are left.

        alignment: of the block in bytes, besides the one that is due to its size. Beyond a page, as many pages more are
        got as may have to be skipped. None, too, for a negative size, or an alignment that is no power of two.

        post: __return__ is None or 0 <= size and is_power_of_two(alignment)
        post: __return__ is None or 0 < __return__ and __return__ not in _live(__old__.self)
        post: _live(self).items() >= _live(__old__.self).items() and _live(self).keys() - _live(__old__.self) <= {__return__}
        post: __return__ is None or size <= _live(self)[__return__]
        post: __return__ is None or __return__ % 2**self.least == 0 and __return__ % alignment == 0
        post: __return__ is None or not size or __return__ % min(size ^ size & size - 1, 2**self.page_shift) == 0
        post: _apart(self)
        post: __return__ is not None or _is_refused(self, size, alignment)
        """  # noqa: E501
        if size < 0 or not is_power_of_two(alignment):
            return None
        slot = self.slot_for(size, alignment)
        if not slot:
            return self._new_pages(size, alignment)
        page = self.room[slot][0] if self.room[slot] else self._add_slab(slot)
        if page is None:
            return None
        slab = self.slabs[page]
        self._keep_no_more(slot, slab)
        offset = slab.take()
        self._leave_if_full(slot, page, slab)
        return None if offset is None else (page << self.page_shift) + offset

    def resize(self, address: int, size: int, alignment: int = 1) -> int | None:
        """Gives a live block this many bytes, and returns its address: it stays where it is if they have room there.

        Otherwise it moves, as by `new` and `delete`. None if no block is live at the address, or `new` fails: the block
        is then as it was. Of address 0 a new block is made.

        post: __return__ is None or address == 0 or address in _live(__old__.self)
        post: _live(self).keys() == _live(__old__.self).keys() - ({address} if __return__ else set()) | {__return__} - {None}
        post: all(_live(self)[a] == extent for a, extent in _live(__old__.self).items() if a in _live(self))
        post: __return__ is None or 0 <= size <= _live(self)[__return__] and __return__ % alignment == 0
        post: __return__ is None or not size or __return__ % min(size ^ size & size - 1, 2**self.page_shift) == 0
        post: __return__ == address or not _may_stay(__old__.self, address, size, alignment)
        post: _apart(self)
        post: __return__ is not None or address and address not in _live(self) or _is_refused(self, size, alignment)
        """  # noqa: E501
        if address == 0:
            return self.new(size, alignment)
        extent = self.extent(address)
        if extent is None:
            return None
        if 0 <= size <= extent and is_power_of_two(alignment) and address & alignment - 1 == 0:
            return address
        moved = self.new(size, alignment)
        if moved is not None:
            self.delete(address)
        return moved

    def delete(self, address: int) -> bool:
        """Frees a live block; False if there is none at this address. An address of 0 does nothing, and is no failure.

        post: __return__ == (address == 0 or address in _live(__old__.self))
        post: _live(self) == {a: size for a, size in _live(__old__.self).items() if a != address}
        post: len(self.spare) - len(__old__.self.spare) == len(__old__.self.notes) - len(self.notes) <= 1
        """
        if address == 0:
            return True
        page = address >> self.page_shift
        offset = address & (1 << self.page_shift) - 1
        if page in self.large and not offset:
            run = self.run_of[page]
            self._give_back(run, page - run + self.large[page])
            del self.large[page], self.run_of[page]
            return True
        if page not in self.slabs or not self.slabs[page].give(offset):
            return False
        slab = self.slabs[page]
        slot = slab.layout.slot_shift
        self.room[slot].add(page)
        if slab.is_empty():
            self._emptied(slot, page)
        return True

    def extent(self, address: int) -> int | None:
        """How many bytes the heap has set aside for the live block at this address; None if there is none.

        post: __return__ == _live(self).get(address)
        """
        page = address >> self.page_shift
        offset = address & (1 << self.page_shift) - 1
        if page in self.large:
            return None if offset else self.large[page] << self.page_shift
        if page not in self.slabs:
            return None
        slab = self.slabs[page]
        return 1 << slab.layout.slot_shift if slab.is_taken(offset) else None

    def slot_for(self, size: int, alignment: int) -> int:
        """The binary logarithm of the class that serves a size and an alignment; 0 if whole pages do.

        post: __return__ == min((s for s in self.layouts if max(size, alignment) <= 2**s), default=0)
        """
        shift = max(0, size - 1, alignment - 1).bit_length()
        return self.served[shift] if shift <= self.page_shift else 0

    # Slabs

    def _add_slab(self, slot: int) -> int | None:
        page = self._get(1)
        if page is not None:
            self.slabs[page] = Slab(self.layouts[slot])
            self.room[slot].add(page)
            self.empty[slot] = page
        return page

    def _keep_no_more(self, slot: int, slab: Slab) -> None:
        """Call this before an object is taken from a slab: if that is the empty one that is kept, it no longer is."""
        if slab.is_empty():
            del self.empty[slot]

    def _leave_if_full(self, slot: int, page: int, slab: Slab) -> None:
        if slab.is_full():
            self.room[slot].remove(page)

    def _emptied(self, slot: int, page: int) -> None:
        """A slab has become empty: it is kept if its class has no other empty one, else its page is freed."""
        if slot in self.empty:
            del self.slabs[page]
            self.room[slot].remove(page)
            self._give_back(page, 1)
        else:
            self.empty[slot] = page

    # Pages

    def _new_pages(self, size: int, alignment: int) -> int | None:
        pages = max(1, size + (1 << self.page_shift) - 1 >> self.page_shift)
        skipped = alignment - 1 >> self.page_shift  # at the most, from the run's first page to an aligned one
        run = self._get(skipped + pages)
        if run is None:
            return None
        last = run + skipped
        page = last - (last & skipped)
        self.large[page] = last + pages - page
        self.run_of[page] = run
        return page << self.page_shift

    def _get(self, pages: int) -> int | None:
        """Allocates pages for blocks or slabs; returns the first. The note in reserve is never used for them."""
        if not self.spare and not self._add_notes():
            return None
        note = self.spare.pop()
        page = self._note_down(note, pages)
        if page is None:
            self.spare.append(note)
        return page

    def _add_notes(self) -> bool:
        """Adds a page of notes, whose own note is the one in reserve."""
        page = self._note_down(self.reserve, 1)
        if page is None:
            return False
        self.spare += notes_in(page << self.page_shift, self.page_shift)
        self.reserve = self.spare.pop()
        return True

    def _note_down(self, note: int, pages: int) -> int | None:
        address = self.pages.allocate_pages(pages)
        if address is None:
            return None
        page = address >> self.page_shift
        self.notes[page] = note
        return page

    def _give_back(self, page: int, pages: int) -> None:
        self.pages.free_pages(page << self.page_shift, pages)
        self.spare.append(self.notes[page])
        del self.notes[page]


def notes_in(address: int, page_shift: int) -> list[int]:
    """The addresses of the notes in a page of them, which is laid out as a slab is.

    pre: 0 <= address and layout(page_shift, NOTE_SHIFT) is not None
    post: __return__ == sorted(set(__return__)) and len(__return__) == layout(page_shift, NOTE_SHIFT).objects
    post: all(16 <= note - address <= 2**page_shift - 16 for note in __return__)
    """
    place = layout(page_shift, NOTE_SHIFT)
    if place is None:
        return []
    return list(range(address + place.first, address + (1 << page_shift), 1 << NOTE_SHIFT))


# Helpers of the contracts


def _live(heap: Heap) -> dict[int, int]:
    """The address of each live block, and the bytes set aside for it."""
    shift = heap.page_shift
    found = {page << shift: pages << shift for page, pages in heap.large.items()}
    for page, slab in heap.slabs.items():
        size = 1 << slab.layout.slot_shift
        for offset in range(slab.layout.first, 1 << shift, size):
            if not slab.bitmap.is_free(offset // size):
                found[(page << shift) + offset] = size
    return found


def _apart(heap: Heap) -> bool:
    """Whether what is set aside for each live block ends before the next begins."""
    blocks = sorted(_live(heap).items())
    return all(address + size <= after for (address, size), (after, _) in pairwise(blocks))


def _may_stay(heap: Heap, address: int, size: int, alignment: int) -> bool:
    """Whether a live block has room for this many bytes where it is, and is aligned."""
    is_large_enough = address in _live(heap) and 0 <= size <= _live(heap)[address]
    return is_large_enough and is_power_of_two(alignment) and address % alignment == 0


def _is_refused(heap: Heap, size: int, alignment: int) -> bool:
    """Whether no block may be made of this size and alignment, or there are not the pages that it takes."""
    if size < 0 or not is_power_of_two(alignment):
        return True
    return heap.pages.allocate_pages(_pages_for(heap, size, alignment)) is None


def _pages_for(heap: Heap, size: int, alignment: int) -> int:
    """How many pages a block needs if it has to have new ones: an aligned one of them, and the ones from there on."""
    page = 1 << heap.page_shift
    return 1 if heap.slot_for(size, alignment) else max(1, -(-size // page)) + max(1, alignment // page) - 1
