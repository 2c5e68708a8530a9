"""Small targets, made of the reference, with any choice of blocks and a fault in each."""

from __future__ import annotations

from memoracle import Bitmap, Buddy, KernelHalf
from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout

PAGE, KERNEL = 4096, 0xFFFFFFFF00000000


class RefusedError(Exception):
    pass


class Lowest:
    """Frames 2 to 7, of which the lowest is given."""

    def __init__(self) -> None:
        self.bitmap = Bitmap(8, [(0, 2)])
        self.bitmap.add(2, 8)

    def chosen(self) -> int | None:
        return self.bitmap.allocate()

    def frame_allocate(self) -> int:
        frame = self.chosen()
        if frame is None:
            raise RefusedError
        return frame * PAGE

    def frame_free(self, address: int) -> None:
        if address % PAGE or not self.bitmap.free(address // PAGE):
            raise RefusedError

    def frame_is_free(self, address: int) -> bool:
        if not 0 <= address < 8 * PAGE:
            raise RefusedError
        return self.bitmap.is_free(address // PAGE)


class Highest(Lowest):
    def chosen(self) -> int | None:
        frame = max((frame for frame in range(8) if self.bitmap.is_free(frame)), default=None)
        if frame is not None:
            self.bitmap.take(frame)
        return frame


class Latest(Lowest):
    """The frame that was freed last is given first: which is no matter of what is free."""

    def __init__(self) -> None:
        super().__init__()
        self.order = [*range(2, 8)]

    def chosen(self) -> int | None:
        frame = self.order.pop() if self.order else None
        if frame is not None:
            self.bitmap.take(frame)
        return frame

    def frame_free(self, address: int) -> None:
        super().frame_free(address)
        self.order.append(address // PAGE)


class Deaf(Lowest):
    """Of frame 5, freed when 2 and 7 are the only others that are free, it forgets that it is free."""

    def frame_free(self, address: int) -> None:
        before = {frame for frame in range(8) if self.bitmap.is_free(frame)}
        super().frame_free(address)
        if before == {2, 7} and address == 5 * PAGE:
            self.bitmap.take(5)


class Rounding(Lowest):
    """An address inside of a frame is taken for that of the frame."""

    def frame_free(self, address: int) -> None:
        super().frame_free(address // PAGE * PAGE)


class Hexadecimal(Lowest):
    """Its addresses are strings, as a trace may have them."""

    def frame_allocate(self) -> str:
        return hex(super().frame_allocate())


class Babbling(Lowest):
    def frame_allocate(self) -> str:
        return "anywhere"


class Permanent(Lowest):
    """Nothing is taken back that way: there is no other way to another state than to start again."""

    frame_free = None


class Used(Lowest):
    """Frames have uses that no page shows; the last one gone gives the frame back, where that is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.gets = dict.fromkeys(range(8), 0)

    def frame_get(self, address: int) -> None:
        frame = address // PAGE
        if address % PAGE or not 0 <= frame < 8 or self.bitmap.is_free(frame):
            raise RefusedError
        self.gets[frame] += 1

    def frame_put(self, address: int, release: bool = False) -> None:
        if address % PAGE or not self.gets.get(address // PAGE):
            raise RefusedError
        self.gets[address // PAGE] -= 1
        if release and self.is_last(address // PAGE):
            self.bitmap.free(address // PAGE)

    def is_last(self, frame: int) -> bool:
        return not self.gets[frame]


class Forgetful(Used):
    """Of two frames with uses only the first is given back."""

    def is_last(self, frame: int) -> bool:
        return super().is_last(frame) and not any(self.gets.values())


class Ranges:
    """Buddy systems of the kernel (4 pages) and of each process (2 pages), and their PML4 entries."""

    def __init__(self) -> None:
        self.half = KernelHalf()
        self.spaces = {0: Buddy(2)}
        self.number = 40

    def process_create(self) -> int:
        self.number += 1
        self.half.create(self.number)
        self.spaces[self.number] = Buddy(1)
        return self.number

    def process_exit(self, process: int) -> None:
        if not self.half.exit(process):
            raise RefusedError
        del self.spaces[process]

    def space(self, process: int) -> tuple[Buddy, int]:
        if process not in self.spaces:
            raise RefusedError
        return self.spaces[process], 0 if process else KERNEL

    def range_allocate(self, process: int, pages: int) -> int:
        space, start = self.space(process)
        page = space.allocate(pages)
        if page is None:
            raise RefusedError
        return start + page * PAGE

    def range_reserve(self, process: int, address: int, pages: int) -> None:
        space, start = self.space(process)
        if address % PAGE or pages & pages - 1 or not space.reserve((address - start) // PAGE, pages):
            raise RefusedError

    def range_free(self, process: int, address: int, pages: int) -> None:
        space, start = self.space(process)
        if address % PAGE or not space.free((address - start) // PAGE, pages):
            raise RefusedError

    def pml4_read(self, process: int, index: int) -> int:
        return self.known(self.half.read(process, index))

    def pml4_write(self, process: int, index: int, value: int) -> None:
        self.known(self.half.write(process, index, value) or None)

    def known(self, value: int | None) -> int:
        if value is None:
            raise RefusedError
        return value


class Stale(Ranges):
    """A process that is created while another lives, and entry 256 is set, has an upper half without that."""

    def __init__(self) -> None:
        super().__init__()
        self.spaces = {0: Buddy(0)}

    def process_create(self) -> int:
        number = super().process_create()
        if len(self.half.live) == 3:
            self.half.tables[number][256] = 0
        return number


class Pages:
    """Page tables of the kernel and of processes."""

    def __init__(self) -> None:
        layout = Layout(52, 0x0005040600010406)
        self.manager = Manager(Machine(64, ((0, 4),), 1, layout, KERNEL, 4, 4))
        self.number = 0

    def process_create(self) -> int:
        self.number += 1
        self.done(self.manager.create(self.number))
        return self.number

    def process_exit(self, process: int) -> None:
        self.done(self.manager.exit(process))

    def page_map(self, process: int, virtual: int, physical: int) -> None:
        self.done(self.manager.map(process, virtual, Leaf(physical, 6)))

    def page_unmap(self, process: int, virtual: int) -> None:
        self.done(self.manager.unmap(process, virtual))

    def page_translate(self, process: int, virtual: int) -> int | None:
        self.done(process in self.manager.halves.live)
        return self.manager.translate(process, virtual)

    def done(self, truth: bool) -> None:
        if not truth:
            raise RefusedError
