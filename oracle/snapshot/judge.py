"""What is found in page tables once they are walked: kernel halves, memory types, what users reach."""

from __future__ import annotations

from typing import Any

from memoracle.console.counted import agreeing, counted
from memoracle.impl import pte as code
from memoracle.snapshot.findings import ONE_MEMORY_TYPE, Findings
from memoracle.snapshot.mappings import Mapped, Mappings, disagreeing, joined, type_name
from memoracle.snapshot.walk import Space, Walk
from memoracle.spec import kernel_half as law
from memoracle.spec import pat

SHOWN = 3  # addresses in a warning
# UC- is UC unless a memory type range register says write-combining, and no snapshot has these registers.
ALIKE_BY_MTRR = {pat.UNCACHEABLE, pat.UNCACHED}


def judge(walk: Walk, findings: Findings) -> None:
    """Adds what is found beyond the walk."""
    judge_halves(walk, findings)
    judge_types(walk, findings)
    warn_of_users(walk.mappings, findings)
    for index, spaces in sorted(walk.recursive.items()):
        whose = f"space{agreeing(len(spaces), '', 's')} {joined(spaces)}"
        top = walk.levels.top
        words = (
            f"entry {index} of the {top} of {whose} links that {top} itself: what it maps, the tables, is not judged"
        )
        findings.warn(words)


def own(space: Space, index: int) -> int:
    """An entry of a root as the kernel wrote it: without the bit that the processor sets by itself (Intel SDM volume 3,
    4.8), and relative to the root where it links that itself."""
    value = space.entries[index] if space.entries is not None else 0
    if value & code.PRESENT:
        value &= ~code.ACCESSED
        if value & code.ADDRESS == space.root:
            value -= space.root
    return value


def judge_halves(walk: Walk, findings: Findings) -> None:
    """Each kernel half against the first."""
    readable = [space for space in walk.spaces if space.entries is not None and space.number not in walk.doubtful]
    if len(readable) < 2:
        return
    first, *others = readable

    def entry(process: Any, index: Any) -> int:
        return own(walk.spaces[process], index)

    def lives(process: Any) -> bool:
        return walk.spaces[process] in readable

    halves = law.Halves(
        master=lambda index: entry(first.number, index),
        entry=entry,
        lives=lives,
        updating=False,
        index=law.FIRST,
        value=0,
        pending=lambda process: False,
    )
    places = [(space, index) for space in others for index in range(law.FIRST, law.ENTRIES)]
    differ = [(space, i) for space, i in places if not law.equal_at_rest(halves, space.number, first.number, i)]
    in_flight = " (an update of this entry may be in flight)" if len({index for _, index in differ}) == 1 else ""
    for space, index in differ:
        found, due = space.entry(index), first.entry(index)
        message = f"entry {index} is {found.value:#x}, but {due.value:#x} in space {first.number}{in_flight}"
        findings.add(found, law.equal_at_rest, message, f"{due.value:#x}, as in space {first.number}")


def judge_types(walk: Walk, findings: Findings) -> None:
    """Two mappings of one frame with different memory types."""
    unsure = 0
    for earlier, later in disagreeing(walk.mappings):
        if {earlier.attributes.cache, later.attributes.cache} == ALIKE_BY_MTRR:
            unsure += 1
            continue
        if findings.counts_only(ONE_MEMORY_TYPE):
            continue
        physical = later.physical
        entry = walk.leaf(later.attributes.space, later.virtual)
        message = (
            f"the frame at {physical:#x} is {type_name(later)} here, but {type_name(earlier)}"
            f" at {earlier.virtual + physical - earlier.physical:#x} of space {earlier.attributes.space}"
        )
        findings.add(entry, ONE_MEMORY_TYPE, message, "one memory type in all mappings of a frame")
    if unsure:
        ranges = counted(unsure, "range")
        words = f"{ranges} of frames {agreeing(unsure, 'is', 'are')} mapped as both uncacheable and uncached (UC-)"
        findings.warn(f"{words}: whether these differ depends on the memory type range registers")


def warn_of_users(mappings: Mappings, findings: Findings) -> None:
    """Pages of the upper half that users reach."""
    reached = [each for each in mappings if each.attributes.user and not each.attributes.is_lower]
    if reached:
        findings.warn(users_reach(reached))


def users_reach(reached: list[Mapped]) -> str:
    shown = ", ".join(f"{each.virtual:#x} ({each.bytes:#x} bytes)" for each in reached[:SHOWN])
    more = ", ..." if len(reached) > SHOWN else ""
    words = f"users reach {counted(len(reached), 'range')} of the upper half, which is the kernel's"
    return f"{words}: {shown}{more}"
