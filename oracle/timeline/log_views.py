"""What is drawn of a kmem log's replay at one moment: pages, and objects of the allocator that stands above these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, TypeAlias

from memoracle.impl.bitmap import BITS
from memoracle.replay.kmem.kmem import PAGE_SHIFT, KmemReplay
from memoracle.replay.kmem.objects import Objects as ReplayedObjects
from memoracle.replay.kmem.seen_frames import SeenFrames
from memoracle.timeline.views import FREE, IN_USE, MISSING, MOST_PIECES, UNSEEN, View, packed

Objects: TypeAlias = dict[int, dict[int, int]]  # by address, and by the line that handed one out there, its bytes


def view(replay: KmemReplay, words: Iterable[int], named: Iterable[int], objects: Objects) -> View:
    """words: of pages, as of a bitmap.  named: the addresses that the divergence is about.  objects: that are near."""
    found = {"frames": frames(replay.frames, sorted(words)), "slabs": slabs(replay, list(named), objects)}
    return {name: part for name, part in found.items() if part}


def frames(seen: SeenFrames, words: list[int]) -> View | None:
    if not words:
        return None
    shown = [list(frames_of(seen, word)) for word in words]
    return {"words": list(map(packed, shown)), "runs": [run for word in shown for run in blocks_of(seen, word)]}


def frames_of(frames: SeenFrames, word: int) -> Iterator[View]:
    first, last = word * BITS, min((word + 1) * BITS, frames.frames)
    missing = {page for start, end in frames.outside_memory(first, last) for page in range(start, end)}
    known = {
        page: row
        for start, row in frames.seen.among(first, last)
        for page in range(max(start, first), min(row.end, last))
    }
    for page in range(first, last):
        if (row := known.get(page)) is not None:
            yield {"frame": page, "state": FREE if row.free else IN_USE, "line": row.line}
        else:
            yield {"frame": page, "state": MISSING if page in missing else UNSEEN}


def blocks_of(frames: SeenFrames, word: list[View]) -> Iterator[View]:
    """Neighbouring pages that one line was the last to speak of; what one allocation gave is a block."""

    def block(told: View) -> tuple[str, int, int]:
        given = frames.run_of(told["frame"]) if told["state"] == IN_USE else None
        return told["state"], told.get("line", 0), -1 if given is None else given

    for (state, line, _), group in groupby(word, key=block):
        members = [told["frame"] for told in group]
        yield {"page": members[0], "pages": len(members), "state": state} | ({"line": line} if line else {})


def slabs(replay: KmemReplay, named: list[int], objects: Objects) -> list[View]:
    """The objects on the pages of those that are named; of hashes of addresses just these."""
    hashes = replay.slab.hashes
    pages, found = dict[int, None](), list[View]()
    for address in named:
        if is_known(hashes, address):
            found.append({"hash": f"{address:#x}", **state_of(hashes, address)})
        else:
            pages[address >> PAGE_SHIFT] = None
    for page in pages:
        near = {each: sizes for each, sizes in objects.items() if each >> PAGE_SHIFT == page}
        found.append({"start": f"{page << PAGE_SHIFT:#x}", "pieces": pieces(replay.slab.objects, page, near, named)})
    return found


def is_known(objects: ReplayedObjects, address: int) -> bool:
    return address in objects.heap.live or address in objects.freed


def state_of(objects: ReplayedObjects, address: int) -> dict[str, Any]:
    live, freed = objects.heap.live, objects.freed
    if address in live:
        return {"state": IN_USE, "line": live.lines[address]}
    return {"state": FREE, "line": freed[address]} if address in freed else {"state": UNSEEN}


def pieces(objects: ReplayedObjects, page: int, near: Objects, named: list[int]) -> list[View]:
    """The objects of one page, in the order of their addresses, and what is between them.

    What is live comes first, and then what was freed last; what lies where one of these does is from another time.
    """
    start, end = page << PAGE_SHIFT, page + 1 << PAGE_SHIFT
    states = {address: state_of(objects, address) for address in near}
    known = [
        (address, bytes_of(near[address], state), state)
        for address, state in states.items()
        if state["state"] != UNSEEN
    ]
    kept: list[tuple[int, int, dict[str, Any]]] = []
    for address, size, state in sorted(known, key=lambda each: (each[2]["state"] == FREE, -each[2]["line"])):
        if not any(address < other + max(bytes_, 1) and other < address + max(size, 1) for other, bytes_, _ in kept):
            kept.append((address, size, state))
    middle = named[0] if named else start
    kept = sorted(sorted(kept, key=lambda each: abs(each[0] - middle))[:MOST_PIECES])
    drawn, at = list[View](), start
    for address, size, state in kept:
        if at < address:
            drawn.append(piece(at, address - at, start, {"state": UNSEEN}))
        drawn.append(piece(address, size, start, state))
        at = address + max(size, 1)
    return [*drawn, *([piece(at, end - at, start, {"state": UNSEEN})] if at < end else [])]


def bytes_of(sizes: dict[int, int], state: dict[str, Any]) -> int:
    """Of the object that the line of a state handed out, or freed; 0 where no line before that did."""
    return next((size for line, size in sorted(sizes.items(), reverse=True) if line <= state["line"]), 0)


def piece(address: int, size: int, start: int, state: dict[str, Any]) -> View:
    told = {"page": address - start, "pages": max(size, 1), "address": f"{address:#x}", **state}
    return told if size else {**told, "unsized": True}
