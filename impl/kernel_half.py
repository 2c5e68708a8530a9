"""The upper half of every process's top-level table, kept equal while processes come and go.

Entries 256 to 511 of each PML4 map the kernel (Intel SDM volume 3, 4.5). The master half is the copy that no process
owns. A change is a broadcast: it is written to the master, then copied process by process, and between any two of its
steps other processors may create a process, exit one, read an entry or write a lower-half entry. A new process copies
the master, which has the new value already, so the broadcast need not include it.
An operation that the law refuses returns None or False and changes nothing.
"""

from __future__ import annotations

ENTRIES = 512
LOWER = 256


class KernelHalf:
    """The top-level tables of all live processes; process 0 is the kernel and always exists.

    inv: 0 in self.live and self.live == self.tables.keys() and self.pending <= self.live
    inv: self.updating or not self.pending
    inv: all(self.tables[process][LOWER:] == self.master for process in self.live - self.pending)
    inv: LOWER <= self.index < ENTRIES
    """

    def __init__(self) -> None:
        """Every entry reads 0, and only process 0, the kernel, is live.

        post: self.live == {0} and self.dump(0) == [0] * ENTRIES
        post: not self.updating
        """
        self.master = [0] * (ENTRIES - LOWER)
        self.tables = {0: [0] * ENTRIES}
        self.live = {0}
        self.updating = False
        self.index = LOWER  # of the update in flight
        self.value = 0
        self.pending: set[int] = set()  # the processes that the update in flight has yet to reach

    def create(self, process: int) -> bool:
        """A new process: an empty lower half, and the master's upper half.

        False if it exists already, or its number does not have 64 bits.

        post: __return__ == (__old__.self.dump(process) is None and 0 <= process < 2**64)
        post: not __return__ or self.dump(process) == [0] * LOWER + self.master
        post: self.live == __old__.self.live | ({process} if __return__ else set())
        post: self.pending == __old__.self.pending
        post: all(self.dump(other) == __old__.self.dump(other) for other in __old__.self.live)
        """
        if process in self.live or not 0 <= process < 1 << 64:
            return False
        self.tables[process] = [0] * LOWER + self.master
        self.live.add(process)
        return True

    def exit(self, process: int) -> bool:
        """Removes a process and its table, even during an update; False if it does not exist or is the kernel.

        post: __return__ == (process != 0 and __old__.self.dump(process) is not None)
        post: self.live == {other for other in __old__.self.live if other != process or not __return__}
        post: self.pending == __old__.self.pending & self.live
        post: all(self.dump(other) == __old__.self.dump(other) for other in self.live)
        """
        if process == 0 or process not in self.live:
            return False
        self.live.remove(process)
        self.pending.discard(process)
        del self.tables[process]
        return True

    def read(self, process: int, index: int) -> int | None:
        """The entry that this process's processor walks through; None if there is no such process or entry.

        post: (__return__ is None) == (self.dump(process) is None or not 0 <= index < ENTRIES)
        post: __return__ is None or __return__ == self.dump(process)[index]
        """
        if process not in self.live or not 0 <= index < ENTRIES:
            return None
        return self.tables[process][index]

    def dump(self, process: int) -> list[int] | None:
        """All 512 entries of a process; None if it does not exist.

        post: (__return__ is None) == (process not in self.live)
        post: __return__ is None or __return__ == self.tables[process] and __return__ is not self.tables[process]
        post: __return__ is None or len(__return__) == ENTRIES
        """
        return self.tables[process].copy() if process in self.live else None

    def write(self, process: int, index: int, value: int) -> bool:
        """Sets an entry: of the lower half in this process alone, of the upper half in all processes before it returns.

        False, and nothing changes, if there is no such process, entry or 64-bit value, or while an update is in flight.

        post: not __return__ or self.read(process, index) is not None and 0 <= value < 2**64
        post: not __return__ or index < LOWER or not __old__.self.updating
        post: __return__ or self.read(process, index) is None or value not in range(2**64) or index >= LOWER and self.updating
        post: __return__ or vars(self) == vars(__old__.self)
        post: not __return__ or all(self.read(p, index) == value for p in (self.live if index >= LOWER else {process}))
        post: all(self.dump(p)[:index] == __old__.self.dump(p)[:index] for p in self.live)
        post: all(self.dump(p)[index + 1 :] == __old__.self.dump(p)[index + 1 :] for p in self.live if index >= 0)
        post: index >= LOWER or all(self.dump(p) == __old__.self.dump(p) for p in self.live - {process})
        post: self.updating == __old__.self.updating and self.live == __old__.self.live
        """  # noqa: E501
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
        """Takes the update lock and writes the master; False while another update is in flight.

        False, too, if there is no such entry of the upper half or value of 64 bits.

        post: __return__ == (not __old__.self.updating and LOWER <= index < ENTRIES and 0 <= value < 2**64)
        post: __return__ or vars(self) == vars(__old__.self)
        post: not __return__ or self.updating and self.pending == self.live
        post: not __return__ or (self.index, self.value, self.master[index - LOWER]) == (index, value, value)
        post: all(e == __old__.self.master[i] for i, e in enumerate(self.master) if i != index - LOWER)
        post: all(self.dump(process) == __old__.self.dump(process) for process in self.live)
        """
        if self.updating or not LOWER <= index < ENTRIES or not 0 <= value < 1 << 64:
            return False
        self.updating = True
        self.index = index
        self.value = value
        self.master[index - LOWER] = value
        self.pending = self.live.copy()
        return True

    def copy_to_one(self) -> bool:
        """Copies the update in flight to one process that it has yet to reach; False if there is none.

        post: __return__ == (len(__old__.self.pending) > 0)
        post: self.pending <= __old__.self.pending and len(self.pending) == len(__old__.self.pending) - __return__
        post: all(self.read(process, self.index) == self.value for process in __old__.self.pending - self.pending)
        post: all(self.dump(p)[: self.index] == __old__.self.dump(p)[: self.index] for p in self.live)
        post: all(self.dump(p)[self.index + 1 :] == __old__.self.dump(p)[self.index + 1 :] for p in self.live)
        post: all(self.dump(p) == __old__.self.dump(p) for p in self.live - (__old__.self.pending - self.pending))
        post: {**vars(self), "tables": 0, "pending": 0} == {**vars(__old__.self), "tables": 0, "pending": 0}
        """
        if not self.pending:
            return False
        process = self.pending.pop()
        self.tables[process][self.index] = self.value
        return True

    def end_update(self) -> bool:
        """Releases the update lock; False if no update is in flight or it has yet to reach a process.

        post: __return__ == (__old__.self.updating and not __old__.self.pending)
        post: not __return__ or all(self.dump(process)[LOWER:] == self.master for process in self.live)
        post: vars(self) == {**vars(__old__.self), "updating": __old__.self.updating and not __return__}
        """
        if not self.updating or self.pending:
            return False
        self.updating = False
        return True
