"""The whole memory manager: frames, ranges, page tables and processes in one, and the kernel's own pages.

Kernel pages are a block of the kernel's range, and a frame of its own mapped at each page that was asked for; slabs of
the heap are such pages. They are made and unmade page by page: if frames run out half-way, those made so far are unmade
again. A refused operation returns None or False and changes nothing.

Mapping and the allocators are independent: a frame may be mapped whether or not it is allocated. But a frame that the
manager took for a table or for kernel pages is freed only by the operation that undoes this: `free_frame` frees only
what `allocate_frame` gave, so the manager always checks frees, whatever a geometry's `frame_free` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memoracle.impl.boot import TOP, Record, boot
from memoracle.impl.buddy import Spaces
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import MOST_USES, Attributes, Leaf, Paging
from memoracle.impl.pte import Layout

WRITE_BACK = 6  # the memory type of kernel pages; the machine's page attribute table must have it


class Machine(NamedTuple):
    """The sizes of a machine (docs/geometry.md)."""

    frames: int  # that the bitmap reaches
    never_free: tuple[tuple[int, int], ...]  # first frame, and the one after the last; frame 0 is among them
    leaf_level: int
    layout: Layout
    kernel_start: int  # the address of the first page of the kernel's range
    kernel_depth: int  # the binary logarithm of its pages
    process_depth: int  # the same of each process's range
    reserved: tuple[tuple[int, int], ...] = ()  # pieces taken of the kernel's range at start: first page, pages
    direct_start: int = 0  # the address of the first page of the direct map, whose pages are no uses of their frames
    direct_end: int = 0  # that of the page after its last


class Manager:
    """The memory of one machine; process 0 is the kernel and always exists.

    given: the frames that callers of `allocate_frame` have.  gets: by frame, the uses that `get_frame` made of it and
    `put_frame` did not undo; only of frames with some.  lengths: by the first page of a block, how many kernel pages it
    has.  frame_at: by kernel page, its frame.  Pages of a range are numbered from its start.

    inv: self.spaces.spaces.keys() == self.halves.live == self.paging.roots.keys()
    inv: all(_owners(self, frame) == 0 for frame in range(self.bitmap.frames) if self.bitmap.is_free(frame))
    inv: all(_owners(self, f) == 1 for f in range(self.bitmap.frames) if _is_allocated(self, f))
    inv: all(count > 0 and self.bitmap.exists(frame) for frame, count in self.gets.items())
    inv: self.frame_at.keys() == {p for first, n in self.lengths.items() for p in range(first, first + n)}
    inv: all(self.translate(0, self.address_of(p)) == f << self.page_shift for p, f in self.frame_at.items())
    """

    def __init__(self, machine: Machine, records: Sequence[Record] | None = None) -> None:
        """Nothing is mapped, only the kernel is live, and the memory map says which frames exist (None: all do).

        pre: 1 <= machine.frames and machine.leaf_level in (1, 2, 3) and any(a == 0 for a, b in machine.never_free)
        pre: all(0 <= a < b <= machine.frames for a, b in machine.never_free)
        pre: machine.frames << 9 * machine.leaf_level + 3 <= 1 << machine.layout.physical_address_bits
        pre: records is None or all(0 <= record.start < TOP and record.length >= 0 for record in records)
        post: self.machine == machine and not self.given and not self.gets and not self.lengths
        post: all(self.spaces.spaces[0].size(first) == pages for first, pages in machine.reserved)
        """
        self.machine = machine
        self.page_shift = 9 * machine.leaf_level + 3
        usable = [Record(0, TOP, 1)] if records is None else records
        self.bitmap = boot(usable, self.page_shift, machine.frames, machine.never_free)
        self.spaces = Spaces(machine.kernel_depth, machine.process_depth)
        for first, pages in machine.reserved:
            self.spaces.spaces[0].fix(first, pages)
        self.halves = KernelHalf()
        self.paging = Paging(
            self.bitmap,
            self.halves,
            machine.layout,
            machine.leaf_level,
            machine.frames,
            machine.direct_start,
            machine.direct_end,
        )
        self.given: set[int] = set()
        self.gets: dict[int, int] = {}
        self.lengths: dict[int, int] = {}
        self.frame_at: dict[int, int] = {}

    # Frames

    def allocate_frame(self) -> int | None:
        """Allocates the lowest free frame for the caller; None if no frame is free.

        post: __return__ == min((f for f in range(self.bitmap.frames) if __old__.self.bitmap.is_free(f)), default=None)
        post: self.given == __old__.self.given | ({__return__} - {None})
        post: __return__ is not None or _picture(self) == _picture(__old__.self)
        """
        frame = self.bitmap.allocate()
        if frame is not None:
            self.given.add(frame)
        return frame

    def free_frame(self, frame: int) -> bool:
        """Frees a frame that `allocate_frame` gave; False for any other.

        post: __return__ == (frame in __old__.self.given)
        post: self.given == __old__.self.given - {frame}
        post: not __return__ or self.bitmap.is_free(frame)
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        if frame not in self.given:
            return False
        self.given.remove(frame)
        return self.bitmap.free(frame)

    def get_frame(self, frame: int) -> bool:
        """Makes one use more of an allocated frame, whoever has it; False if it is free, or does not exist.

        post: __return__ == (_is_in_use(__old__.self, frame) and __old__.self.gets.get(frame, 0) < MOST_USES)
        post: self.gets == __old__.self.gets | ({frame: __old__.self.gets.get(frame, 0) + 1} if __return__ else {})
        post: (self.given, self.lengths) == (__old__.self.given, __old__.self.lengths)
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        if not self.bitmap.exists(frame) or self.bitmap.is_free(frame):
            return False
        gets = self.gets.get(frame, 0)
        if gets == MOST_USES:
            return False
        self.gets[frame] = gets + 1
        return True

    def put_frame(self, frame: int, release: bool = False) -> bool:
        """Undoes one `get_frame`; False if none is left. With `release`, the frame is freed if that was its last use.

        Only a frame that `allocate_frame` gave is freed.

        post: __return__ == (frame in __old__.self.gets)
        post: self.gets.get(frame, 0) == __old__.self.gets.get(frame, 0) - __return__
        post: release or self.given == __old__.self.given
        post: not any(f in self.paging.uses or f in self.gets for f in __old__.self.given - self.given)
        post: self.lengths == __old__.self.lengths
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        if frame not in self.gets:
            return False
        if self.gets[frame] > 1:
            self.gets[frame] -= 1
            return True
        del self.gets[frame]
        if release and not self.paging.is_shown(frame):
            self.free_frame(frame)
        return True

    # Processes

    def create(self, process: int) -> bool:
        """Creates a process; False if it exists, its number does not have 64 bits, or no frame is left for its PML4.

        post: not __return__ or process not in __old__.self.spaces.spaces and 0 <= process < 2**64
        post: __return__ or process in __old__.self.spaces.spaces or not 0 <= process < 2**64 or __old__.self.bitmap.count() == 0
        post: self.spaces.spaces.keys() == __old__.self.spaces.spaces.keys() | ({process} if __return__ else set())
        post: self.bitmap.count() == __old__.self.bitmap.count() - __return__
        post: __return__ or _picture(self) == _picture(__old__.self)
        """  # noqa: E501
        if not self.paging.create(process):
            return False
        self.spaces.create(process)
        return True

    def exit(self, process: int) -> bool:
        """Ends a process: removes its ranges, mappings and tables, and releases the frames that lost their last use.

        False if it does not exist or is the kernel.

        post: __return__ == (process != 0 and process in __old__.self.spaces.spaces)
        post: self.spaces.spaces.keys() == {p for p in __old__.self.spaces.spaces if p != process or not __return__}
        post: self.given <= __old__.self.given and self.lengths == __old__.self.lengths
        post: all(f not in self.paging.uses and f in __old__.self.paging.uses for f in __old__.self.given - self.given)
        post: all(f in self.gets or f in self.paging.uses or f not in __old__.self.paging.uses for f in __old__.self.given & self.given)
        post: self.gets == __old__.self.gets and not any(f in self.gets for f in __old__.self.given - self.given)
        post: __return__ or _picture(self) == _picture(__old__.self)
        """  # noqa: E501
        released = self.paging.exit(process)
        if released is None:
            return False
        self.spaces.exit(process)
        while released:
            self._release_one(released)
        return True

    # Ranges

    def allocate_range(self, process: int, pages: int) -> int | None:
        """Allocates a block of a process's range: its first page, or None if there is no such process or block.

        post: __return__ is None or self.spaces.spaces[process].size(__return__) // 2 < pages
        post: __return__ is None or pages <= self.spaces.spaces[process].size(__return__)
        post: __return__ is not None or _picture(self) == _picture(__old__.self)
        """
        space = self.spaces.of(process)
        return None if space is None else space.allocate(pages)

    def reserve_range(self, process: int, page: int, pages: int) -> bool:
        """Allocates exactly this block of a process's range; False if the law of ranges refuses.

        post: not __return__ or self.spaces.spaces[process].size(page) == pages
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        space = self.spaces.of(process)
        return space is not None and space.reserve(page, pages)

    def free_range(self, process: int, page: int, pages: int) -> bool:
        """Frees a block of a process's range; False if there is none, or it is that of kernel pages.

        post: not __return__ or self.spaces.spaces[process].size(page) == 0
        post: not __return__ or process != 0 or page not in self.lengths
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        space = self.spaces.of(process)
        if space is None or (process == 0 and page in self.lengths):
            return False
        return space.free(page, pages)

    # Mapping

    def map(self, process: int, virtual: int, leaf: Leaf) -> bool:
        """Maps the page at a virtual address, whether or not the frame is allocated; see `Paging.map`.

        post: not __return__ or self.translate(process, virtual) == leaf.physical
        post: not __return__ or __old__.self.translate(process, virtual) is None
        post: (self.given, self.lengths) == (__old__.self.given, __old__.self.lengths)
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        return self.paging.map(process, virtual, leaf)

    def unmap(self, process: int, virtual: int, release: bool = False) -> bool:
        """Unmaps the page at a virtual address; with `release`, the frame is freed if that was its last use.

        False if nothing is mapped there (see `Paging.unmap`), or it is one of the kernel pages. Only a frame that
        `allocate_frame` gave is freed.

        post: not __return__ or self.translate(process, virtual) is None is not __old__.self.translate(process, virtual)
        post: release or self.given == __old__.self.given
        post: not any(f in self.paging.uses or f in self.gets for f in __old__.self.given - self.given)
        post: (self.gets, self.lengths) == (__old__.self.gets, __old__.self.lengths)
        post: __return__ or _picture(self) == _picture(__old__.self)
        """
        page = self.page_at(virtual)
        if page is not None and page in self.frame_at:
            return False
        unmapped = self.paging.unmap(process, virtual)
        if unmapped is None:
            return False
        if release and unmapped.last:
            self._release(unmapped.frame)
        return True

    def translate(self, process: int, virtual: int) -> int | None:
        """The physical address of a byte; None where nothing is mapped.

        post: __return__ == self.paging.translate(process, virtual)
        """
        return self.paging.translate(process, virtual)

    def attributes(self, process: int, virtual: int) -> Attributes | None:
        """What is allowed at a byte; None where nothing is mapped.

        post: __return__ == self.paging.attributes(process, virtual)
        """
        return self.paging.attributes(process, virtual)

    # Kernel pages

    def allocate_pages(self, pages: int) -> int | None:
        """Allocates this many pages of the kernel's range, each mapped to a frame of its own; the virtual address.

        None if no block of the range fits, too few frames are left for the pages and their tables, or something is
        mapped there although the range is free.

        post: __return__ is None or self.free_pages(__return__, pages) and _picture(self) == _picture(__old__.self)
        post: __return__ is not None or _picture(self) == _picture(__old__.self)
        """
        first = self.spaces.spaces[0].allocate(pages)
        if first is None:
            return None
        self.lengths[first] = 0
        while self.lengths[first] < pages:
            if not self._extend(first):
                self._undo(first)
                return None
        return self.address_of(first)

    def free_pages(self, address: int, pages: int) -> bool:
        """Undoes one whole allocation of kernel pages; False if none of this many pages begins at this address.

        post: __return__ == (__old__.self.lengths.get(self.page_at(address)) == pages)
        post: self.lengths == {p: n for p, n in __old__.self.lengths.items() if not __return__ or p != self.page_at(address)}
        post: self.given == __old__.self.given
        post: not __return__ or self.spaces.spaces[0].size(self.page_at(address)) == 0
        post: __return__ or _picture(self) == _picture(__old__.self)
        """  # noqa: E501
        first = self.page_at(address)
        if first is None or self.lengths.get(first) != pages:
            return False
        self._undo(first)
        return True

    def address_of(self, page: int) -> int:
        """The virtual address of a page of the kernel's range.

        post: self.page_at(__return__) == page or page < 0
        """
        return self.machine.kernel_start + (page << self.page_shift)

    def page_at(self, address: int) -> int | None:
        """The number of the page that begins at an address, even past the range's end; None if none begins there.

        post: __return__ is None or self.address_of(__return__) == address and __return__ >= 0
        post: __return__ is not None or (address - self.machine.kernel_start) % (1 << self.page_shift) or address < self.machine.kernel_start
        """  # noqa: E501
        page = address - self.machine.kernel_start >> self.page_shift
        return page if page >= 0 and self.address_of(page) == address else None

    # Steps

    def _release_one(self, released: list[int]) -> None:
        """Releases one of the frames that nothing maps any more."""
        self._release(released.pop())

    def _release(self, frame: int) -> None:
        """Frees a frame that nothing maps any more, if no get of it is left and `allocate_frame` gave it."""
        if frame not in self.gets:
            self.free_frame(frame)

    def _extend(self, first: int) -> bool:
        """Adds a kernel page to this block; False, and nothing changes, if there is no frame for it or its tables."""
        page = first + self.lengths[first]
        frame = self.bitmap.allocate()
        if frame is None:
            return False
        if not self.paging.map(0, self.address_of(page), Leaf(frame << self.page_shift, WRITE_BACK)):
            self.bitmap.free(frame)
            return False
        self.frame_at[page] = frame
        self.lengths[first] += 1
        return True

    def _undo(self, first: int) -> None:
        """Unmakes all kernel pages of this block, and frees it."""
        while self.lengths[first]:
            self._shrink(first)
        del self.lengths[first]
        space = self.spaces.spaces[0]
        space.free(first, space.size(first))

    def _shrink(self, first: int) -> None:
        """Unmakes the last kernel page of this block."""
        self.lengths[first] -= 1
        page = first + self.lengths[first]
        self.paging.unmap(0, self.address_of(page))
        self.bitmap.free(self.frame_at[page])
        del self.frame_at[page]


# Helpers of the contracts


def _is_allocated(manager: Manager, frame: int) -> bool:
    """Whether a frame is memory that may be free, and is not."""
    return _is_in_use(manager, frame) and not manager.bitmap.is_never_free(frame)


def _is_in_use(manager: Manager, frame: int) -> bool:
    """Whether a frame exists and is not free."""
    return manager.bitmap.exists(frame) and not manager.bitmap.is_free(frame)


def _owners(manager: Manager, frame: int) -> int:
    """How many roles a frame has: a PML4 (not the kernel's, which is never free), a table, a kernel page, given."""
    roots = [each for each, root in manager.paging.roots.items() if each and root == frame]
    pages = [page for page, held in manager.frame_at.items() if held == frame]
    return len(roots) + (frame in manager.paging.memory) + len(pages) + (frame in manager.given)


def _picture(manager: Manager) -> tuple[object, ...]:
    """All of a manager's state that its operations can observe."""
    bitmap, paging = manager.bitmap, manager.paging
    return (
        bitmap.words,
        bitmap.free_frames,
        {process: space.blocks() for process, space in manager.spaces.spaces.items()},
        manager.halves.tables,
        paging.memory,
        paging.roots,
        paging.uses,
        manager.given,
        manager.gets,
        manager.lengths,
        manager.frame_at,
    )
