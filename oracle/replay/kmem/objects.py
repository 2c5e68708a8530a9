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

ALIGNS = ("kmalloc", "kmalloc_node")  # the events of objects that have an alignment by their size
ALLOCATIONS, FREES = "allocation", "free"  # premises: that such events are recorded
OVERLAPS = (law.address_is_unique.name, law.is_disjoint.name)


class Found(NamedTuple):
    """needs: the premises of which this is a fault.  by_place: whether it is one of a place, so that pointers must be
    addresses."""

    finding: Finding
    needs: frozenset[str]
    by_place: bool


class Objects:
    """freed: by the address of each object that was freed and not handed out since, the line."""

    def __init__(self, heap: HeapReplay) -> None:
        self.heap = heap
        self.freed: dict[int, int] = {}

    def allocate(self, event: SlabEvent) -> Found | None:
        finding = self.heap.new(self.asked(event), event.line)
        self.freed.pop(event.address, None)
        if finding is None:
            return None
        needs = frozenset({FREES} if finding.clause in OVERLAPS else ())
        return Found(finding, needs, finding.clause != law.address_is_unique.name)

    def asked(self, event: SlabEvent) -> HeapNew:
        """What was asked for. Only `kmalloc` promises an alignment, unless its objects lie at other distances."""
        due = self.heap.live.alignment_of(event.asked) if event.name in ALIGNS else 1
        size = max(event.asked, event.given)
        return HeapNew(bytes=size, alignment=1 if size % due else due, result=event.address)

    def free(self, event: SlabEvent) -> Found | None:
        address, heap, inside = event.address, self.heap, False
        if not (address in self.freed or address in heap.live or address in heap.owed):
            inside = bool(law.has_byte(heap.state, heap.live.block_at(address), address))
            if not inside:  # it is freed first, so it was live
                self.note_free(address, event.line)
                return None
        finding = heap.delete_block(HeapDelete(address=address), event.line)
        if not inside:
            self.note_free(address, event.line)
        return None if finding is None else Found(finding, frozenset({FREES if inside else ALLOCATIONS}), inside)

    def note_free(self, address: int, line: int) -> None:
        self.freed[address] = line
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
        self.freed = objects.freed


def without_sizes(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state of which no object's size is known."""
    return {
        key: {name: each for name, each in value.items() if name != "bytes"} if isinstance(value, Mapping) else value
        for key, value in state.items()
    }
