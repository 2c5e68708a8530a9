"""The reference manager's speed: the whole at work, on a machine of the default geometry's sizes."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout

LEVEL, SHIFT, DEPTH = 2, 21, 11
KERNEL, WRITE_BACK = 0xFFFF_FFFF_0000_0000, 6
MACHINE = Machine(2048, ((0, 2),), LEVEL, Layout(52, 0x0005_0406_0001_0406), KERNEL, DEPTH, 26)
PAGES = 8  # of each allocation of kernel pages


def frames(manager: Manager) -> None:
    """A frame is allocated and freed."""
    frame = manager.allocate_frame()
    assert frame is not None
    manager.free_frame(frame)


def mappings(manager: Manager) -> None:
    """A page of a process is mapped and unmapped, with the tables that it needs."""
    manager.map(1, 0, Leaf(5 << SHIFT, WRITE_BACK))
    manager.unmap(1, 0)


def kernel_pages(manager: Manager) -> None:
    """Kernel pages are allocated and freed."""
    address = manager.allocate_pages(PAGES)
    assert address is not None
    manager.free_pages(address, PAGES)


def processes(manager: Manager) -> None:
    """A process is created and exits."""
    manager.create(2)
    manager.exit(2)


PAIRS: tuple[Callable[[Manager], None], ...] = (frames, mappings, kernel_pages, processes)


def rates(operations: int) -> dict[str, float]:
    """Operations a second, by what is done; each pair of them counts as two."""
    found = {}
    for pair in PAIRS:
        manager = Manager(MACHINE)
        manager.create(1)
        started = perf_counter()
        for _ in range(operations // 2):
            pair(manager)
        said = (pair.__doc__ or "").rstrip(".")
        found[said] = operations / (perf_counter() - started)
    return found
