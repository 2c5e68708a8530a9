"""The upper half of every process's top-level table, kept equal while processes come and go.

Entries 256 to 511 of each PML4 map the kernel (Intel SDM volume 3, 4.5). The master half is the copy that no process
owns. A change is a broadcast: it is written to the master, then copied process by process, and between any two of its
steps other processors may create a process, exit one, read an entry or write a lower-half entry. A process is created
from the master, so it is complete from the start and the broadcast need not know of it.
An operation that the law refuses returns None or False and changes nothing.
"""

from __future__ import annotations

ENTRIES = 512
LOWER = 256


class KernelHalf:
    """The top-level tables of all live processes; process 0 is the kernel and always exists."""

    def __init__(self) -> None:
        """Every entry reads 0, and only the kernel's own process lives."""
        self.master = [0] * (ENTRIES - LOWER)
        self.tables = {0: [0] * ENTRIES}
        self.live = {0}
        self.updating = False
        self.index = LOWER  # of the update in flight
        self.value = 0
        self.pending: set[int] = set()  # the processes that the update in flight has yet to reach

    def create(self, process: int) -> bool:
        """A new process: an empty lower half, and the master's upper half; False if it exists already."""
        if process in self.live:
            return False
        self.tables[process] = [0] * LOWER + self.master
        self.live.add(process)
        return True

    def exit(self, process: int) -> bool:
        """The process and its table go, whatever is in flight; False if it does not exist or is the kernel."""
        if process == 0 or process not in self.live:
            return False
        self.live.remove(process)
        self.pending.discard(process)
        del self.tables[process]
        return True

    def read(self, process: int, index: int) -> int | None:
        """The entry that this process's processor walks through; None if there is no such process or entry."""
        if process not in self.live or not 0 <= index < ENTRIES:
            return None
        return self.tables[process][index]

    def dump(self, process: int) -> list[int] | None:
        """All 512 entries of a process; None if it does not exist."""
        return list(self.tables[process]) if process in self.live else None

    def write(self, process: int, index: int, value: int) -> bool:
        """Sets an entry: in the lower half of this process alone, in the upper half of all before it returns."""
        if process not in self.live or not 0 <= index < ENTRIES or not 0 <= value < 1 << 64:
            return False
        if index < LOWER:
            self.tables[process][index] = value
            return True
        if not self.begin_update(index, value):
            return False
        while self.pending:
            self.copy_to_one()
        return self.end_update()

    def begin_update(self, index: int, value: int) -> bool:
        """Takes the update lock and writes the master; False while another update is in flight."""
        if self.updating:
            return False
        self.updating = True
        self.index = index
        self.value = value
        self.master[index - LOWER] = value
        self.pending = self.live.copy()
        return True

    def copy_to_one(self) -> bool:
        """Copies the update in flight to one process that it has yet to reach; False if there is none."""
        if not self.pending:
            return False
        process = self.pending.pop()
        self.tables[process][self.index] = self.value
        return True

    def end_update(self) -> bool:
        """Releases the update lock; False if no update is in flight or it has yet to reach a process."""
        if not self.updating or self.pending:
            return False
        self.updating = False
        return True
