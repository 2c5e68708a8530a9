"""Stand-ins for the parts of a heap: slabs and their bitmaps, notes, and the source of pages.

The code of bitmaps, `impl/bitmap.py`, is proved to do what `spec/bitmap.py` says, so a slab's bitmap does what that law
says. The source of pages is trusted: what it hands out begins at a page, and was handed out to no other caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from memoracle.impl.slab import Layout, Slab
from memoracle.proofs.symbolic.containers import Keyed, Uncompared
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Function, Property, Relation
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import slab as slab_law
from memoracle.spec.clauses import Number, Truth, implies, neg, when

BitmapContents = tuple[Property, Number]  # which slots are free, and how many


class SlabBitmap:
    """Stands in for the bitmap of one slab: it does what the law of bitmaps says.

    read, write: get and set its contents, which stand where the slabs keep them.  head: how many slots the header
    takes.
    """

    def __init__(
        self, run: Run, slots: Number, head: Number, read: Callable[[], BitmapContents], write: Callable[..., None]
    ) -> None:
        self.run, self.slots, self.head, self.read, self.write = run, slots, head, read, write

    @property
    def state(self) -> bitmap_law.Frames:
        return self._state(*self.read())

    def allocate(self) -> Number | None:
        if self.state.count == 0:
            return None
        slot = self.run.point("slot")
        self.run.suppose(bitmap_law.allocate.allows(self.state, frame=slot), (self.head <= slot) & (slot < self.slots))
        self._becomes(bitmap_law.allocate(self.state, slot))
        self.taken = slot
        return slot

    def free(self, slot: Number) -> bool:
        if not bitmap_law.free.allows(self.state, frame=slot):
            return False
        self._becomes(bitmap_law.free(self.state, slot))
        return True

    def is_free(self, slot: Number) -> Truth:
        return bitmap_law.frame_is_in_reach(self.state, slot) & self.state.is_free(slot)

    def count(self) -> Number:
        return self.state.count

    def _becomes(self, state: bitmap_law.Frames) -> None:
        self.write(state.is_free, state.count)
        self.run.suppose(*(count_is_right(state, self.head, slot) for slot in (self.run.point("slot"), self.head)))
        self.run.assume_for_all(("slot",), lambda slot: count_is_right(state, self.head, slot))

    def _state(self, is_free: Property, count: Number) -> bitmap_law.Frames:
        return bitmap_law.Frames(
            reach=self.slots,
            count=count,
            never_free=lambda slot: (0 <= slot) & (slot < self.head),
            exists=lambda slot: (0 <= slot) & (slot < self.slots),
            is_free=is_free,
            in_use=lambda slot: neg(is_free(slot)) & (self.head <= slot),
            free_below=lambda slot: 0,
        )


def count_is_right(state: bitmap_law.Frames, head: Number, slot: Number) -> Truth:
    """What the law of bitmaps implies of the count and of any slot: see `heap.count-of-…`. head: the first object."""
    inside = (0 <= state.count) & (state.count <= state.reach - head)
    return inside & slab_law.counts_every_object(state, head, slot) & bitmap_law.none_free_at_zero(state, slot)


class BitmapConstructor:
    """Stands in for the class `Bitmap`, where a new slab constructs one."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __call__(self, slots: Number, never_free: list[tuple[int, Number]]) -> NewBitmap:
        ((first, head),) = never_free
        with self.run.reading_law():
            self.run.assert_goal("the header begins with the first slot", first == 0)
            self.run.assert_goal("there are slots besides the header's", (1 <= head) & (head < slots))
        return NewBitmap(self.run, slots, head)


class NewBitmap:
    """Stands in for the bitmap of a new slab. No object is free until all are added, which must happen once."""

    def __init__(self, run: Run, slots: Number, head: Number) -> None:
        self.run, self.slots, self.head = run, slots, head
        self.added = False

    def add(self, first: Number, last: Number) -> None:
        objects = (first == self.head) & (last == self.slots)
        with self.run.reading_law():
            self.run.assert_goal("all objects are added, once", objects & (not self.added))
        self.added = True

    def count(self) -> Number:
        return self.slots - self.head if self.added else 0

    def is_free(self, slot: Number) -> Truth:
        return self.added & (self.head <= slot) & (slot < self.slots)

    def allocate(self) -> NoReturn:
        raise AssertionError("a new slab is used before it is kept")


class Layouts(Keyed):
    """Stands in for the dictionary of the classes' layouts, by the binary logarithm of their slots."""

    def __init__(self, run: Run, has: Property, of: Callable[[Number], Layout]) -> None:
        super().__init__(run, has)
        self.of = of

    def __getitem__(self, slot: Number) -> Layout:
        self._look_up(slot)
        return self.of(slot)


class Slabs(Keyed):
    """Stands in for the dictionary from pages to slabs.

    slot_of: the binary logarithm of the slots of a page's slab.  is_free: whether a slot of a page is free.  count: how
    many are.
    """

    def __init__(
        self,
        run: Run,
        layouts: Layouts,
        has: Property,
        slot_of: Function,
        is_free: Relation,
        count: Function,
    ) -> None:
        super().__init__(run, has)
        self.layouts, self.slot_of, self.is_free, self.count = layouts, slot_of, is_free, count
        self.opened: list[tuple[Number, SlabBitmap]] = []  # the slabs that were looked up, the last one last

    def __getitem__(self, page: Number) -> Slab:
        self._look_up(page)
        layout = self.layouts.of(self.slot_of(page))
        slab = object.__new__(Slab)
        slab.layout = layout
        head = layout.first >> layout.slot_shift
        bits: Any = SlabBitmap(self.run, layout.slots, head, lambda: self._reads(page), self._writes(page))
        slab.bitmap = bits
        self.opened.append((page, bits))
        return slab

    def __setitem__(self, page: Number, slab: Slab) -> None:
        self._put(page)
        slot_of, slot, bits = self.slot_of, slab.layout.slot_shift, slab.bitmap
        self.slot_of = lambda other: when(other == page, slot, slot_of(other))
        self._writes(page)(bits.is_free, bits.count())

    def _reads(self, page: Number) -> BitmapContents:
        is_free = self.is_free
        return lambda slot: is_free(page, slot), self.count(page)

    def _writes(self, page: Number) -> Callable[..., None]:
        def write(is_free: Property, count: Number) -> None:
            free, counted = self.is_free, self.count
            self.is_free = lambda other, slot: when(other == page, is_free(slot), free(other, slot))
            self.count = lambda other: when(other == page, count, counted(other))

        return write


class CountedNotes(Uncompared):
    """Stands in for a list of notes of which only the number is known."""

    def __init__(self, run: Run, length: Number) -> None:
        self.run, self.length = run, number(length)
        self.brought: list[Number] = []  # how many each page of notes brought

    def __bool__(self) -> bool:
        return bool(self.length > 0)

    def pop(self) -> Number:
        self.run.assert_and_assume("a note is taken of a list that is not empty", self.length > 0)
        self.length = self.length - 1
        note: Number = self.run.fresh("note")
        return note

    def append(self, note: Number) -> None:
        self.length = self.length + 1

    def __iadd__(self, notes: CountedNotes) -> CountedNotes:
        self.brought.append(notes.length)
        self.length = self.length + notes.length
        return self


class ListedNotes(Uncompared):
    """Stands in for a list of notes of which it is known which they are, but not how many.

    It may be found empty or not, whatever was appended. That no note is in it twice is for proofs to claim, of `once`.
    """

    def __init__(self, run: Run, has: Property) -> None:
        self.run, self.has = run, has
        self.once: list[Truth] = []  # for each note or list that was added: that it was not in the list before

    def __bool__(self) -> bool:
        return bool(self.run.fresh_truth("some"))

    def pop(self) -> Number:
        has = self.has
        with self.run.reading_law():
            note = self.run.point("note")
            self.run.suppose(has(note))
        self.has = lambda other: has(other) & (other != note)
        return note

    def append(self, note: Number) -> None:
        has = self.has
        self.once.append(neg(has(note)))
        self.has = lambda other: has(other) | (other == note)

    def __iadd__(self, notes: ListedNotes) -> ListedNotes:
        has, more, note = self.has, notes.has, self.run.point("note")
        self.once.append(neg(has(note) & more(note)))
        self.has = lambda other: has(other) | more(other)
        return self


class Source:
    """Stands in for the source of pages: it hands out runs of pages which are not handed out, and takes them back.

    got: whether a run that starts at this page is handed out.  length: how many pages that run has.  run_at: the first
    page of the run that a page belongs to.  lowest, below: it has no page before the one, nor from the other on.
    """

    def __init__(
        self,
        run: Run,
        shift: Number,
        got: Property,
        length: Function,
        run_at: Function,
        lowest: Number = 1,
        below: Number | None = None,
    ) -> None:
        self.run, self.shift, self.got, self.length, self.run_at = run, shift, got, length, run_at
        self.lowest, self.below = lowest, 1 << 64 - shift if below is None else below
        self.refused = False
        self.last: Number = 0  # the first page of the run that was handed out last
        self.asked: list[Number] = []  # how many pages were asked for, each time
        self.handed: list[Number] = []  # the first page of each run that was handed out

    def copy(self) -> Source:
        return self.with_runs(self.got, self.length, self.run_at)

    def with_runs(self, got: Property, length: Function, run_at: Function) -> Source:
        """The same source with other runs that are handed out."""
        return Source(self.run, self.shift, got, length, run_at, self.lowest, self.below)

    def allocate_pages(self, pages: Number) -> Number | None:
        run, before = self.run, self.copy()
        run.assert_and_assume("some pages are asked for", 1 <= pages)
        self.asked.append(pages)
        if run.fresh_truth("refuses"):
            self.refused = True
            return None
        with run.reading_law():
            address = run.point("address")
            page = address >> self.shift
            run.touch(("page", "later"), (page, page))
            self.last = page
            self.handed.append(page)
            run.suppose(address & (1 << self.shift) - 1 == 0, self.lowest <= page)
            run.suppose(page + pages <= self.below)

            def is_new(first: Number, each: Number) -> Truth:
                return implies(is_in_run(page, pages, each), neg(is_handed_out(before, each, first)))

            run.assume_for_all(("page", "later"), is_new)
        self.got = lambda other: before.got(other) | (other == page)
        self.length = lambda other: when(other == page, pages, before.length(other))
        self.run_at = lambda each: when(is_in_run(page, pages, each), page, before.run_at(each))
        return address

    def becomes(self, later: Source) -> None:
        """Takes the runs of another source."""
        self.got, self.length, self.run_at = later.got, later.length, later.run_at

    def free_pages(self, address: Number, pages: Number) -> bool:
        page, got = address >> self.shift, self.got
        aligned = page << self.shift == address
        whole = aligned & got(page) & (self.length(page) == pages)
        self.run.assert_and_assume("what is given back was got, and is given back whole", whole)
        self.got = lambda other: got(other) & (other != page)
        return True


def is_in_run(first: Number, pages: Number, page: Number) -> Truth:
    """Whether a page is one of so many from the first."""
    return (first <= page) & (page < first + pages)


def is_handed_out(source: Source, page: Number, first: Number) -> Truth:
    """Whether a page belongs to a run that is handed out and starts at `first`."""
    return source.got(first) & is_in_run(first, source.length(first), page)
