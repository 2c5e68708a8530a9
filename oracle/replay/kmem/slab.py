"""Replays the events of Linux's allocator of objects: they are held to the law of the heap, by the replay of that.

A log begins mid-run, so what is freed first was live. What the log may not have recorded, and what its pointers may not
be, are premises of a finding (`premises.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import SAFE, Rules
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.heap.heap import HeapReplay
from memoracle.replay.kmem.objects import ALLOCATIONS, FREES, Found, Hashes, Objects
from memoracle.replay.kmem.premises import Premises
from memoracle.replay.ranges.ranges import RangeReplay
from memoracle.spec.geometry import preset
from memoracle.trace.slab_events import Meaning, SlabEvent

ADDRESSES = "pointers of 32 bits are addresses"
ENOUGH = 8  # pointers of 32 bits that look like addresses; of as many hashes, one in half a million does
LOWEST = 1 << 30  # of the addresses of a 32-bit kernel
WORD = 4  # bytes, of which an address of 32 bits is a multiple
GEOMETRY = replace(preset("x64-4k"), frames=1024)  # of the frames nothing is asked


class SlabReplay:
    """The objects of one log.

    hashed: how many pointers were hashes.  withheld: how many events had no pointer.
    """

    def __init__(self, path: str) -> None:
        """path is for messages."""
        self.path = path
        self.premises = Premises()
        self.hashed = 0
        self.withheld = 0
        self.unsure: set[int] = set()
        rules = Rules(GEOMETRY, SAFE)
        self.parts = rules, FrameReplay(rules), RangeReplay(rules, KernelHalf())
        self.objects, self.hashes = Objects(HeapReplay(*self.parts)), Hashes(HeapReplay(*self.parts))

    def forget(self) -> None:
        """Of no object it is known any more whether it is live."""
        self.let_go()
        self.objects, self.hashes = Objects(HeapReplay(*self.parts)), Hashes(HeapReplay(*self.parts))

    def let_go(self) -> None:
        """Nothing more is asked of these objects: what knows itself is there until garbage is collected."""
        self.objects.heap.end()
        self.hashes.heap.end()

    def divergences(self, event: SlabEvent) -> Iterator[Divergence]:
        """What is found at an event, and what was held until now."""
        yield from self.premises.show(ALLOCATIONS if event.allocates else FREES)
        meaning = event.meaning
        if meaning is Meaning.WITHHELD:  # it may be about any object
            self.withheld += 1
            self.forget()
        elif meaning is Meaning.HASHED:
            yield from self.found(event, self.hashes)
        elif meaning is Meaning.UNSURE:
            yield from self.look_at(event.address)
            refuted = ADDRESSES in self.premises.refuted
            yield from self.found(event, self.hashes if refuted else self.objects)
        elif meaning is Meaning.ADDRESS:
            yield from self.found(event, self.objects)

    def found(self, event: SlabEvent, objects: Objects) -> Iterator[Divergence]:
        self.hashed += objects is self.hashes
        found: Found | None = objects.allocate(event) if event.allocates else objects.free(event)
        if found is None:
            return
        by_place = event.meaning is Meaning.UNSURE and found.by_place and objects is self.objects
        needs = found.needs | ({ADDRESSES} if by_place else set())
        yield from self.premises.found(Divergence(self.path, event.line, event.told, found.finding), needs)

    def look_at(self, pointer: int) -> Iterator[Divergence]:
        """Sees whether pointers of 32 bits may be addresses, this one among them."""
        premises = self.premises
        if ADDRESSES in premises.shown | premises.refuted:
            return
        self.unsure.add(pointer)
        if pointer < LOWEST or pointer % WORD:
            premises.refute(ADDRESSES)
            self.hashes.take_over(self.objects)
        elif len(self.unsure) == ENOUGH:
            yield from premises.show(ADDRESSES)

    def end(self) -> Iterator[Divergence]:
        """What is found where the log ends: nothing in it speaks against addresses."""
        if ADDRESSES not in self.premises.refuted:
            yield from self.premises.show(ADDRESSES)
        self.premises.end()
