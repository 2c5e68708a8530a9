"""What is mapped, as ranges: neighbours in virtual and physical memory with the same attributes are one."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from memoracle.trace.memory_types import NAMES

MOST = 1 << 20  # ranges that are kept: a dump of any size takes no more memory than these


class Attributes(NamedTuple):
    """As a walk combines them; None of what a text does not say.

    level: of the leaf.  is_lower: of the lower half.  cache: the memory type.  low_index: of a text that does not tell
    the type, the lower two bits of its index.
    """

    space: int
    level: int | None
    is_lower: bool
    writable: bool
    user: bool
    executable: bool | None
    global_: bool | None
    cache: int | None
    low_index: int | None = None


class Mapped(NamedTuple):
    """A range: its first addresses, its bytes, its attributes."""

    virtual: int
    physical: int
    bytes: int
    attributes: Attributes

    @property
    def end(self) -> int:
        """Past its last physical byte."""
        return self.physical + self.bytes


class Mappings:
    """The ranges of all spaces, in the order in which they were found. whole: nothing was left out for want of room.

    has_frames: it is known which frames are mapped; else each page stands for itself.
    """

    def __init__(self, has_frames: bool = True) -> None:
        self.has_frames = has_frames
        self.columns = (array("Q"), array("Q"), array("Q"), array("L"))
        self.attributes: dict[Attributes, int] = {}
        self.named: list[Attributes] = []
        self.pages = 0
        self.whole = True

    def number(self, attributes: Attributes) -> int:
        """By which attributes are known here."""
        number = self.attributes.setdefault(attributes, len(self.named))
        if number == len(self.named):
            self.named.append(attributes)
        return number

    def add(self, virtual: int, physical: int, size: int, number: int, pages: int = 1) -> None:
        """One more page, whose attributes have this number; it may go on where the last range ends.

        pages: how many it is, where several follow one another.
        """
        virtuals, physicals, sizes, numbers = self.columns
        self.pages += pages
        if numbers and numbers[-1] == number:
            last = sizes[-1]
            if physicals[-1] + last == physical and virtuals[-1] + last == virtual:
                sizes[-1] = last + size
                return
        if len(numbers) >= MOST:
            self.whole = False
            return
        virtuals.append(virtual)
        physicals.append(physical)
        sizes.append(size)
        numbers.append(number)

    def __len__(self) -> int:
        return len(self.columns[0])

    def at(self, place: int) -> Mapped:
        virtuals, physicals, sizes, numbers = self.columns
        return Mapped(virtuals[place], physicals[place], sizes[place], self.named[numbers[place]])

    def __iter__(self) -> Iterator[Mapped]:
        return map(self.at, range(len(self)))

    def by_frame(self) -> Iterator[Mapped]:
        """In order of physical addresses."""
        return map(self.at, sorted(range(len(self)), key=self.columns[1].__getitem__))


class Shared(NamedTuple):
    """Frames that several spaces can write."""

    physical: int
    bytes: int
    spaces: tuple[int, ...]


def disagreeing(mappings: Mappings) -> Iterator[tuple[Mapped, Mapped]]:
    """Pairs of ranges that show a frame in common, and have different memory types: for each range and each other
    type one range of it, if there is any."""
    furthest: dict[tuple[int | None, int | None], Mapped] = {}
    for mapped in mappings.by_frame():
        kind = mapped.attributes.cache, mapped.attributes.low_index
        for other, earlier in furthest.items():
            if other != kind and earlier.end > mapped.physical:
                yield earlier, mapped
        known = furthest.get(kind)
        if known is None or known.end < mapped.end:
            furthest[kind] = mapped


def writable_in_several(mappings: Mappings) -> Iterator[Shared]:
    """The frames that lower halves of two spaces or more can write, neighbours with the same spaces joined."""
    borders: list[int] = []  # an address, whether a range begins there, and its space: a number takes less room
    for mapped in mappings if mappings.has_frames else ():
        if mapped.attributes.is_lower and mapped.attributes.writable:
            space = mapped.attributes.space
            borders += mapped.physical << 33 | 1 << 32 | space, mapped.end << 33 | space
    borders.sort()
    depth: dict[int, int] = {}
    start = 0
    spaces: tuple[int, ...] = ()
    due: Shared | None = None
    for border in borders:
        address, begins, space = border >> 33, border >> 32 & 1, border & (1 << 32) - 1
        if len(spaces) > 1 and address > start:
            if due is not None and (due.spaces, due.physical + due.bytes) == (spaces, start):
                due = due._replace(bytes=due.bytes + address - start)
            else:
                if due is not None:
                    yield due
                due = Shared(start, address - start, spaces)
        start = address
        depth[space] = depth.get(space, 0) + (1 if begins else -1)
        if depth[space] == 0:
            del depth[space]
        spaces = tuple(sorted(depth))
    if due is not None:
        yield due


def type_name(mapped: Mapped) -> str | None:
    """The memory type, where it is known."""
    cache = mapped.attributes.cache
    return None if cache is None else NAMES[cache]


def joined(spaces: Sequence[int]) -> str:
    """Numbers in a sentence: `0, 1 and 2`."""
    words = [str(each) for each in spaces]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
