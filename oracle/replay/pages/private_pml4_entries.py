"""The entries of PML4s that are the implementation's own: those by which pages are mapped."""

from __future__ import annotations

from typing import Any, NamedTuple

from memoracle.spec import kernel_half as law
from memoracle.spec.geometry import Geometry

ENTRY_SHIFT = 39  # a PML4 entry maps 2^39 bytes: Intel SDM volume 3, 4.5


class Reading(NamedTuple):
    """What an entry read as."""

    process: int
    value: int
    line: int

    def __str__(self) -> str:
        return f"{self.value:#x} in process {self.process} (line {self.line})"

    def as_state(self) -> dict[str, Any]:
        return {"process": self.process, "entry": f"{self.value:#x}", "line": self.line}


class OwnEntries:
    """Those that cover the kernel's range, its direct map, or any address that was ever mapped.

    upper: the indices of those that all processes share.  lower: by process, of those that are one process's.  seen: by
    an index of `upper`, how it was first read since mappings last changed.  named: indices and values that differ, and
    of which this has been said.
    """

    def __init__(self, geometry: Geometry) -> None:
        area, direct = geometry.kernel_range, geometry.direct_map
        self.upper = covered_by(area.start, area.pages * geometry.page_size)
        if direct is not None:
            self.upper |= covered_by(direct.start, direct.bytes)
        self.lower: dict[int, set[int]] = {}
        self.seen: dict[int, Reading] = {}
        self.named: set[tuple[int, frozenset[int]]] = set()

    def changed(self, process: int, virtual: int) -> None:
        """What is mapped at an address of a process has changed."""
        index = virtual >> ENTRY_SHIFT & law.ENTRIES - 1
        if self.seen:
            self.seen.clear()
        if index >= law.FIRST:
            self.upper.add(index)
        elif process in self.lower:
            self.lower[process].add(index)
        else:
            self.lower[process] = {index}

    def has(self, process: int, index: int) -> bool:
        """Whether an entry of a process's PML4 is among them."""
        return index in self.upper or index in self.lower.get(process, ())

    def forget(self, process: int) -> None:
        """The process exits."""
        self.lower.pop(process, None)


def covered_by(start: int, size: int) -> set[int]:
    """The indices of the PML4 entries that so many bytes of virtual addresses are mapped by."""
    first, last = start >> ENTRY_SHIFT, start + size - 1 >> ENTRY_SHIFT
    return {index & law.ENTRIES - 1 for index in range(first, last + 1)}
