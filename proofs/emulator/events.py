"""The frames of an emulated machine, and the events on it: calls of the reference, and accesses to memory."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.proofs.emulator.processor import OWN, PHYSICAL_ADDRESS_BITS, WINDOW, Access

LAYOUT = Layout(PHYSICAL_ADDRESS_BITS, 0x0005040600010406)
REACH = {1: 1 << 22, 2: 1 << 19, 3: 1 << 10}  # of the bitmap, in frames, by the level of leaves
UPPER = (1 << 64) - (1 << 47)  # where the upper half of virtual addresses starts


class Call(NamedTuple):
    """A call of the reference. sound: it should succeed if the process is live and the page is not mapped."""

    name: str
    process: int
    virtual: int = 0
    leaf: Leaf | None = None
    sound: bool = True

    def __str__(self) -> str:
        """The call as it is written in a test."""
        if self.name in ("create", "exit"):
            return f"paging.{self.name}({self.process})"
        leaf = ""
        if self.leaf is not None:
            physical, *rest = self.leaf
            leaf = f", Leaf({physical:#x}, {', '.join(map(str, rest))})"
        return f"paging.{self.name}({self.process}, {self.virtual:#x}{leaf})"


class Probe(NamedTuple):
    """An access to a virtual address under a process's PML4."""

    process: int
    virtual: int
    access: Access


Event: TypeAlias = Call | Probe


class Wrong(NamedTuple):
    """What is wrong, and the lines of a test that fail because of it."""

    reason: str
    lines: list[str]


@dataclass(frozen=True)
class Site:
    """An emulated machine with leaves of one level, and with some frames scattered over its physical memory.

    pool: those that the bitmap reaches.  devices: others.  offsets: of the windows in a frame.
    """

    level: int
    pool: tuple[int, ...]
    devices: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def page_shift(self) -> int:
        return 9 * self.level + 3

    @property
    def windows(self) -> list[int]:
        frames = (0, *self.pool, *self.devices)
        return [(frame << self.page_shift) + offset for frame in frames for offset in self.offsets]


def site_of(level: int) -> Site:
    """A machine with frames for some tables, and some data, at low and at high addresses."""
    draw = random.Random(level)
    shift = 9 * level + 3
    last = OWN >> shift
    low, high = range(1, min(REACH[level], last) // 8), range(1, min(REACH[level], last))
    pool = tuple(sorted({*draw.sample(low, 40), *draw.sample(high, 40)}))
    devices = [frame for frame in draw.sample(range(1, last), 16) if frame not in pool]
    middle = draw.randrange(1, (1 << shift) // WINDOW - 1) * WINDOW if level > 1 else 0
    return Site(level, pool, tuple(devices[:8]), tuple(sorted({0, middle, (1 << shift) - WINDOW})))


def hexadecimal(value: int | str | None) -> str:
    return f"{value:#x}" if isinstance(value, int) else repr(value)
