"""Maps an object of the reference to the state of the law that it stands for.

These views are live: they read the object when they are asked. They read the object's own containers, or what stands in
for them in a proof (anything with the methods `has`, `maps` and `at`).
"""

from __future__ import annotations

from typing import Any

from memoracle.impl.kernel_half import LOWER
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import kernel_half as kernel_half_law
from memoracle.spec import runs as runs_law
from memoracle.spec.blocks import Blocks, exists
from memoracle.spec.clauses import Number, Truth, neg


def has(container: Any, *item: Number) -> Truth:
    """Whether a set, or the set at an index of a list of sets, has an item."""
    if hasattr(container, "has"):
        found: Truth = container.has(*item)
        return found
    *index, last = item
    if not all(0 <= place < len(container) for place in index):
        return False
    return last in (container[index[0]] if index else container)


def is_in(places: Any, place: Number) -> Truth:
    """Whether a place is in a set of places."""
    found: Truth = places.has(place) if hasattr(places, "has") else places.covers(place, place + 1)
    return found


def maps(mapping: Any, key: Number, value: Number) -> Truth:
    """Whether a dictionary has this value at this key."""
    found: Truth = mapping.maps(key, value) if hasattr(mapping, "maps") else mapping.get(key) == value
    return found


def item(sequence: Any, place: Number) -> Number:
    """What a list or a dictionary has at a place."""
    value: Number = sequence.at(place) if hasattr(sequence, "at") else sequence[place]
    return value


def bit(words: Any, position: Number) -> Truth:
    """Whether a bit of a bitmap, the most significant of each word first, is set; False outside the bitmap."""
    word = position >> 6
    if hasattr(words, "at"):
        inside = (word >= 0) & (word < words.length)
        found: Truth = inside & (words.at(word) >> 63 - (position & 63) & 1 == 1)
        return found
    return bool(0 <= word < len(words) and words[word] >> 63 - (position & 63) & 1 == 1)


def frames_of(bitmap: Any) -> bitmap_law.Frames:
    """The frames of a bitmap. What was handed out is whatever exists, is not free, and may be free."""

    def never_free(frame: Number) -> Truth:
        return bit(bitmap.never_free, frame)

    def exists(frame: Number) -> Truth:
        return bit(bitmap.existing, frame)

    def is_free(frame: Number) -> Truth:
        return bit(bitmap.words, frame)

    def free_below(frame: Any) -> Number:
        return sum(bool(is_free(below)) for below in range(frame))

    return bitmap_law.Frames(
        reach=bitmap.frames,
        count=bitmap.free_frames,
        never_free=never_free,
        exists=exists,
        is_free=is_free,
        in_use=lambda frame: exists(frame) & neg(is_free(frame)) & neg(never_free(frame)),
        free_below=free_below,
    )


def blocks_of(buddy: Any) -> Blocks:
    """The blocks of an address space between two operations, when nothing is held."""

    def is_allocated(order: Number, block: Number) -> Truth:
        if isinstance(order, int) and not 0 <= order <= buddy.highest:
            return False
        return maps(buddy.allocated, block << order, order)

    def order_at(page: Number) -> Number:
        state = blocks_of(buddy)  # another one: what knew itself would be there until garbage is collected
        return next((order for order in range(buddy.highest + 1) if exists(state, order, page >> order)), 0)

    return Blocks(
        depth=buddy.depth,
        highest=buddy.highest,
        is_page=lambda page: is_in(buddy.existing, page),
        is_free=lambda order, block: has(buddy.free_blocks, order, block),
        is_allocated=is_allocated,
        is_fixed=lambda page: has(buddy.fixed, page),
        holding=False,
        held_order=0,
        held_page=0,
        order_at=order_at,
    )


def places_of(runs: Any) -> runs_law.Places:
    """The places of which runs are handed out. What was handed out is whatever exists, is not free, and may be."""

    def next_taken(place: Any) -> Number:
        available = runs.available
        if hasattr(available, "next_out"):
            following: Number = available.next_out(place)
            return following
        start = available.runs.last(place)
        end: Number = place if start is None else max(place, start + available.runs.length(start))
        return end

    def next_free(place: Any) -> Number:
        if hasattr(runs.available, "next_in"):
            nearest: Number = runs.available.next_in(place)
            return nearest
        start = runs.available.runs.first(1, place)
        following: Number = max(place, runs.places) if start is None else start
        return place if is_in(runs.available, place) else following

    def exists(place: Number) -> Truth:
        return is_in(runs.existing, place)

    def never_free(place: Number) -> Truth:
        return exists(place) & neg(is_in(runs.changing, place))

    def is_free(place: Number) -> Truth:
        return is_in(runs.available, place)

    def free_below(place: Any) -> Number:
        if hasattr(runs.available, "below"):
            free: Number = runs.available.below(place)
            return free
        return sum(bool(is_free(below)) for below in range(place))

    return runs_law.Places(
        reach=runs.places,
        count=runs.free_places,
        exists=exists,
        never_free=never_free,
        is_free=is_free,
        in_use=lambda place: exists(place) & neg(never_free(place)) & neg(is_free(place)),
        next_free=next_free,
        next_taken=next_taken,
        free_below=free_below,
    )


def frames_in(places: runs_law.Places) -> bitmap_law.Frames:
    """The frames of a machine of which runs are handed out, one by one."""
    return bitmap_law.Frames(
        reach=places.reach,
        count=places.count,
        never_free=places.never_free,
        exists=places.exists,
        is_free=places.is_free,
        in_use=places.in_use,
        free_below=places.free_below,
    )


def halves_of(tables: Any) -> kernel_half_law.Halves:
    """The top-level tables of all processes."""
    return kernel_half_law.Halves(
        master=lambda index: item(tables.master, index - LOWER),
        entry=lambda process, index: item(item(tables.tables, process), index),
        lives=lambda process: has(tables.live, process),
        updating=tables.updating,
        index=tables.index,
        value=tables.value,
        pending=lambda process: has(tables.pending, process),
    )
