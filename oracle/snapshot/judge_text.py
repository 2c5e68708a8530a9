"""What is found in texts of QEMU's monitor or GEF: halves that differ, frames with two memory types, users' pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from memoracle.console.counted import counted
from memoracle.snapshot.findings import ONE_MEMORY_TYPE, Findings, Line
from memoracle.snapshot.judge import ALIKE_BY_MTRR, warn_of_users
from memoracle.snapshot.mappings import Attributes, Mapped, Mappings, disagreeing
from memoracle.snapshot.monitor_text import GEF, MEM, SPACE_END, TLB, Block, Row, canonical, upper
from memoracle.spec import pat
from memoracle.spec.geometry_keys import PAGE_SHIFTS
from memoracle.spec.tables import walks_to_the_kernel_are_alike
from memoracle.trace.inputs import shown
from memoracle.trace.memory_types import NAMES

PROCESSORS_OWN = str.maketrans("DA", "--")  # flags that the processor sets by itself (Intel SDM volume 3, 4.8)
HALF = SPACE_END >> 1


def judge_texts(blocks: Sequence[Block], pat_register: int, findings: Findings) -> tuple[Mappings, bool]:
    """What is mapped, and whether a rule was put to the test. Each block is a space, by its number."""
    has_frames = all(block.kind != MEM for block in blocks)
    has_types = all(block.kind == TLB for block in blocks)
    mappings = Mappings(has_frames)
    for space, block in enumerate(blocks):
        for row in block.rows:
            add(mappings, space, row, block.kind == TLB)
    compared = [judge_halves(blocks, kind, findings) for kind in (MEM, TLB, GEF)]
    if has_types:
        judge_types(mappings, blocks, pat_register, findings)
    warn_of_users(mappings, findings)
    is_checked = has_types or any(compared)
    if not is_checked:
        words = "what one text says can be held against nothing: add that of another address space, by the same command"
        findings.warn(f"{words}, or `info tlb`, which shows frames and their memory types")
    return mappings, is_checked


def add(mappings: Mappings, space: int, row: Row, has_types: bool) -> None:
    """The pages of a row, those of each half apart. has_types: whether it shows what memory types follow from."""
    flags = row.flags
    low = None if not has_types else 2 * ("C" in flags) + ("T" in flags)
    for start, end in ((row.start, min(row.end, HALF)), (max(row.start, HALF), row.end)):
        if start < end:
            attributes = Attributes(
                space=space,
                level=row.level,
                is_lower=start < HALF,
                writable="W" in flags.upper(),
                user="U" in flags.upper(),
                executable=None if row.physical is None else "X" not in flags,
                global_=None if row.physical is None else "G" in flags,
                cache=None,
                low_index=low,
            )
            physical = start if row.physical is None else row.physical
            pages = 1 if row.level is None else end - start >> PAGE_SHIFTS[row.level]
            mappings.add(canonical(start), physical, end - start, mappings.number(attributes), pages)


def judge_halves(blocks: Sequence[Block], kind: str, findings: Findings) -> bool:
    """Holds each upper half against the first text's of this kind; whether there were two."""
    alike = [(space, block) for space, block in enumerate(blocks) if block.kind == kind]
    for space, block in alike[1:]:
        first, due = alike[0]
        for start, end, here, there in differing(list(upper(block)), list(upper(due))):
            message = (
                f"{counted(end - start, 'byte')} are {told(here, start)}, but {told(there, start)} in space {first}"
            )
            place = Line(space, canonical(start), None, shown(block.path), None if here is None else here.line)
            findings.add(place, walks_to_the_kernel_are_alike, message, f"{told(there, start)}, as in space {first}")
    return len(alike) > 1


def said(row: Row | None, at: int) -> tuple[int | None, str] | None:
    """What a row says of the page at an address, where the processor's own flags do not count."""
    if row is None:
        return None
    return None if row.physical is None else row.physical + at - row.start, row.flags.translate(PROCESSORS_OWN)


def told(row: Row | None, at: int) -> str:
    found = said(row, at)
    if found is None:
        return "not mapped"
    physical, flags = found
    return f"mapped ({flags})" if physical is None else f"mapped to {physical:#x} ({flags})"


def differing(here: list[Row], there: list[Row]) -> Iterator[tuple[int, int, Row | None, Row | None]]:
    """The stretches of addresses of which two texts do not say the same. Rows are in order, and disjoint."""
    i = j = 0
    at = 0
    while i < len(here) or j < len(there):
        left = here[i] if i < len(here) else None
        right = there[j] if j < len(there) else None
        at = max(at, min(row.start for row in (left, right) if row is not None))
        covering = [row if row is not None and row.start <= at else None for row in (left, right)]
        borders = [border for row in (left, right) if row is not None for border in (row.start, row.end)]
        end = min(border for border in borders if border > at)
        if said(covering[0], at) != said(covering[1], at):
            yield at, end, covering[0], covering[1]
        at = end
        i += left is not None and left.end <= at
        j += right is not None and right.end <= at


def types(pat_register: int, low_index: int) -> list[int]:
    """The memory types that an entry may have, of whose index the third bit is not shown."""
    found = {pat.type_at(pat_register, low_index + high) for high in (0, len(pat.LOWER_HALF))}
    return sorted(each for each in found if isinstance(each, int))


def judge_types(mappings: Mappings, blocks: Sequence[Block], pat_register: int, findings: Findings) -> None:
    """Two entries of one frame whose memory types differ, whatever is not shown of them."""
    unsure = 0
    for earlier, later in disagreeing(mappings):
        here, there = of_mapped(earlier, pat_register), of_mapped(later, pat_register)
        if any(one == other or {one, other} == ALIKE_BY_MTRR for one, other in product(here, there)):
            unsure += 1
            continue
        if findings.counts_only(ONE_MEMORY_TYPE):
            continue
        physical, space = later.physical, later.attributes.space
        names = " or ".join(NAMES[each] for each in there)
        others = " or ".join(NAMES[each] for each in here)
        at = f"{earlier.virtual + physical - earlier.physical:#x} of space {earlier.attributes.space}"
        message = f"the frame at {physical:#x} is {names} here, but {others} at {at}"
        place = Line(space, later.virtual, later.attributes.level, shown(blocks[space].path), None)
        findings.add(place, ONE_MEMORY_TYPE, message, "one memory type in all mappings of a frame")
    if unsure:
        words = "have frames in common with others of other PCD and PWT: their memory types may differ"
        findings.warn(f"{counted(unsure, 'range')} {words}")


def of_mapped(mapped: Mapped, pat_register: int) -> list[int]:
    low_index = mapped.attributes.low_index
    assert low_index is not None
    return types(pat_register, low_index)
