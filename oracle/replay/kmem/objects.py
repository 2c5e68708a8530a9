"""The objects that a log has told of, on the replay of the heap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from memoracle.diagnostics.divergence import Finding, since
from memoracle.replay.heap.heap import HeapReplay, remember
from memoracle.spec import heap as law
from memoracle.trace.events import HeapDelete, HeapNew
from memoracle.trace.slab_events import SlabEvent

KMALLOC, CACHE, KFREE, CACHE_FREE = "kmalloc", "kmem_cache_alloc", "kfree", "kmem_cache_free"
ALLOCATED_BY = {KMALLOC: KMALLOC, "kmalloc_node": KMALLOC, CACHE: CACHE, "kmem_cache_alloc_node": CACHE}
FREES = {KMALLOC: KFREE, CACHE: CACHE_FREE}  # by what allocates
OVERLAPS = (law.address_is_unique.name, law.is_disjoint.name)


class Found(NamedTuple):
    """needs: the events that the log must record for this to be a fault.  by_place: whether it is one of a place, so
    that pointers must be addresses."""

    finding: Finding
    needs: frozenset[str]
    by_place: bool


class Objects:
    """freed: by the address of each object that was freed and not handed out since, the line.

    kinds: of live ones, by what they were allocated.
    """

    def __init__(self, heap: HeapReplay) -> None:
        self.heap = heap
        self.freed: dict[int, int] = {}
        self.kinds: dict[int, str] = {}

    def allocate(self, event: SlabEvent) -> Found | None:
        address, live = event.address, self.heap.live
        asked = self.asked(event)
        other = address if address in live else live.block_at(live.contested(address, int(asked.bytes)))
        recorded = self.recorded_frees_of(other)
        finding = self.heap.new(asked, event.line)
        self.freed.pop(address, None)
        self.kinds[address] = ALLOCATED_BY[event.name]
        if finding is None:
            return None
        needs = recorded if finding.clause in OVERLAPS else frozenset[str]()
        return Found(finding, needs, finding.clause != law.address_is_unique.name)

    def asked(self, event: SlabEvent) -> HeapNew:
        """What was asked for. Only `kmalloc` promises an alignment, unless its objects lie at other distances."""
        due = self.heap.live.alignment_of(event.asked) if ALLOCATED_BY[event.name] == KMALLOC else 1
        size = max(event.asked, event.given)
        return HeapNew(bytes=size, alignment=1 if size % due else due, result=event.address)

    def recorded_frees_of(self, address: int) -> frozenset[str]:
        """The event by which an object would have been freed, if the log records those."""
        return frozenset({FREES[self.kinds[address]]} if address in self.kinds else ())

    def free(self, event: SlabEvent) -> Found | None:
        address, heap, inside = event.address, self.heap, False
        needs: frozenset[str] = frozenset()
        if address in self.freed:
            needs = frozenset({allocator(event.name)})
        elif address not in heap.live and address not in heap.owed:
            around = heap.live.block_at(address)
            inside = bool(law.has_byte(heap.state, around, address))
            if not inside:  # it is freed first, so it was live
                self.note_free(address, event.line)
                return None
            needs = self.recorded_frees_of(around)
        finding = heap.delete_block(HeapDelete(address=address), event.line)
        if not inside:
            self.note_free(address, event.line)
        return None if finding is None else Found(finding, needs, inside)

    def note_free(self, address: int, line: int) -> None:
        self.freed[address] = line
        self.kinds.pop(address, None)
        remember(self.heap.deleted, address, line)


class Hashes(Objects):
    """Objects of which only a hash of the address is known: blocks of no bytes, which may not have the same one."""

    def asked(self, event: SlabEvent) -> HeapNew:
        return HeapNew(bytes=0, alignment=1, result=event.address)

    def allocate(self, event: SlabEvent) -> Found | None:
        line = self.heap.live.lines.get(event.address, 0)
        found = super().allocate(event)
        if found is None:
            return None
        message = f"{event.ptr}, a hash of an address, is that of a live object{since(line, 'made by')}"
        legal = "an object that has the hash of no live one, or a failure"
        finding = replace(
            found.finding,
            message=message,
            legal=legal,
            before=without_sizes(found.finding.before),
            after=without_sizes(found.finding.after),
        )
        return found._replace(finding=finding)

    def take_over(self, objects: Objects) -> None:
        """What was taken for addresses are hashes."""
        live = objects.heap.live
        for address in {*live.sizes, *objects.heap.owed}:
            self.heap.live.add(address, 0, live.lines.get(address, 0))
        self.kinds, self.freed = objects.kinds, objects.freed


def allocator(free: str) -> str:
    """What allocates the objects that this event frees."""
    return next(kind for kind, frees in FREES.items() if frees == free)


def without_sizes(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state of which no object's size is known."""
    return {
        key: {name: each for name, each in value.items() if name != "bytes"} if isinstance(value, Mapping) else value
        for key, value in state.items()
    }
