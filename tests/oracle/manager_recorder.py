"""Random runs of the reference manager, written out as traces that conform at level `exact`.

Such a trace names every frame: what the manager takes for a page table is written as a `frame.allocate` of its own. So
that a trace can say all that, the run behaves: it maps only frames that it was given, the image's or a device's, and
frees no frame that a page shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from page_events import KERNEL, PAGE
from small_geometry import small

from memoracle.impl.boot import Record
from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.trace.memory_types import NAMES

GEOMETRY = small(frames=24, pages_of_process=8)
KEEPER = KERNEL + 20 * PAGE  # stays mapped, and with it the tables that all kernel pages need
PLACES = (0, PAGE, 600 * PAGE, 0xFFFF_9000_0000_0000, KERNEL + 2 * PAGE, KERNEL + 5 * PAGE, KERNEL + 9 * PAGE, 1 << 47)
LOW = PLACES[:3]
OWN = {0, 288, 511}  # the PML4 entries by which these pages are mapped: they may read as anything
NEVER_MAPPED = (7, 300)
MAPS = (
    [Record(0, 24 * PAGE, 1)],
    [Record(0, 9 * PAGE, 1), Record(3 * PAGE, 5, 2)],
    [Record(5, 6 * PAGE, 1), Record(8 * PAGE, 1 << 60, 1), Record(11 * PAGE, PAGE, 3)],
)
KEYS = ("cache", "writable", "user", "executable", "global")
Event = dict[str, Any]
Answers = list[Event]  # in the place of `result` or `error`, what would be wrong


def said(accepted: bool) -> Event:
    return {} if accepted else {"error": "refused"}


def answered(result: object) -> Event:
    return {"error": "refused"} if result is None else {"result": result}


class Frames:
    """Where the tables get their frames from: what is taken and given back is written down.

    named: whether as `tables` of the operations, or as frames that are allocated and freed.
    """

    def __init__(self, manager: Manager, named: bool) -> None:
        self.bitmap, self.held, self.named = manager.bitmap, set[int](), named
        self.taken, self.returned, self.were_short = list[int](), list[int](), False

    def allocate(self) -> int | None:
        frame = self.bitmap.allocate()
        if frame is None:
            self.were_short = True
        else:
            self.taken.append(frame)
        return frame

    def free(self, frame: int) -> bool:
        self.returned.append(frame)
        return self.bitmap.free(frame)

    def events(self, event: Event) -> list[Event]:
        """An operation, between the frames that it took for tables and those that it gave back."""
        taken, returned = self.taken, self.returned
        self.held = (self.held | {*taken}) - {*returned}
        self.taken, self.returned = [], []
        if self.named:
            changed = [] if "error" in event else taken or returned
            return [event | {"tables": [frame * PAGE for frame in changed]} if changed else event]
        before = [{"op": "frame.allocate"} | answered(frame * PAGE) for frame in taken]
        after = [{"op": "frame.free", "address": frame * PAGE} for frame in returned]
        return [*before, event, *after]


class Recorder:
    """A manager, its trace, and for each event of it the answers that would be wrong there."""

    def __init__(self, random: Random, tables_are_named: bool = False) -> None:
        self.random = random
        records = random.choice(MAPS)
        layout = Layout(GEOMETRY.physical_address_bits, GEOMETRY.pat_register)
        never_free, level = GEOMETRY.never_free_frames, GEOMETRY.leaf_level
        self.manager = Manager(Machine(GEOMETRY.frames, never_free, level, layout, KERNEL, 4, 3, ((0, 2),)), records)
        self.frames = self.manager.paging.frames = Frames(self.manager, tables_are_named)
        self.events: list[Event] = [{"op": "boot", "memory_map": [record._asdict() for record in records]}]
        self.wrong: dict[int, Answers] = {}
        self.map(0, KEEPER, Leaf(0, 6))

    def write(self, event: Event, answer: Event, wrong: Answers) -> None:
        """An event, with what its operation took and gave, which is on paper before and after it."""
        found = self.frames.events(event | answer)
        place = 0 if self.frames.named else found.index(event | answer)
        self.wrong[len(self.events) + place] = [each for each in wrong if each != answer]
        self.events += found

    def flip(self, event: Event, accepted: bool) -> None:
        """An event of an operation that returns nothing: it was accepted or refused, and the contrary is wrong."""
        self.write(event, said(accepted), [said(not accepted)])

    def must_succeed(self) -> bool:
        """Whether a trace leaves no reason for a page or a process not to be made: frames and kernel range are left."""
        return self.manager.bitmap.count() > 0 and any(self.manager.spaces.spaces[0].free_blocks)

    # Frames

    def allocate_frame(self) -> None:
        frame = self.manager.allocate_frame()
        others = [answered(other * PAGE) for other in range(GEOMETRY.frames + 1)]
        self.write({"op": "frame.allocate"}, answered(frame and frame * PAGE), [*others, said(False)])

    def free_frame(self) -> None:
        manager, frame = self.manager, self.random.randrange(GEOMETRY.frames + 1)
        if manager.given and self.random.random() < 0.7:
            frame = self.random.choice(sorted(manager.given))
        if frame not in self.frames.held and frame not in manager.paging.uses and frame not in manager.gets:
            self.flip({"op": "frame.free", "address": frame * PAGE}, manager.free_frame(frame))

    def frame_in_use(self) -> int:
        """A frame, often one that was given or has gets; not one of tables or kernel pages."""
        manager, random = self.manager, self.random
        frames = {*range(GEOMETRY.frames + 1)} - self.frames.held - {*manager.frame_at.values()}
        some = manager.gets.keys() or manager.given
        return random.choice(sorted(some if some and random.random() < 0.7 else frames))

    def get_frame(self) -> None:
        frame = self.frame_in_use()
        self.flip({"op": "frame.get", "address": frame * PAGE}, self.manager.get_frame(frame))

    def put_frame(self) -> None:
        frame, release = self.frame_in_use(), self.random.random() < 0.6
        event = {"op": "frame.put", "address": frame * PAGE, "release": release}
        self.flip(event, self.manager.put_frame(frame, release))

    def is_free(self, frame: int | None = None) -> None:
        frame = self.random.randrange(GEOMETRY.frames) if frame is None else frame
        free = self.manager.bitmap.is_free(frame)
        self.write({"op": "frame.is_free", "address": frame * PAGE + 7}, {"result": free}, [{"result": not free}])

    def free_count(self) -> None:
        count = self.manager.bitmap.count()
        others = [{"result": other} for other in range(GEOMETRY.frames)]
        self.write({"op": "frame.free_count"}, {"result": count}, [*others, said(False)])

    # Processes and their top-level tables

    def create(self) -> None:
        process = self.random.randrange(1, 4)
        live = [{"result": each} for each in self.manager.spaces.spaces]
        if process not in self.manager.spaces.spaces:
            created = self.manager.create(process)
            wrong = [*live, *([said(False)] if self.must_succeed() else [])]  # a trace names no frame of a process
            self.write({"op": "process.create"}, answered(process if created else None), wrong if created else live)

    def exit(self) -> None:
        process = self.random.randrange(4)
        self.flip({"op": "process.exit", "process": process}, self.manager.exit(process))

    def read_entry(self) -> None:
        process, index = self.random.randrange(3), self.random.choice((*OWN, *NEVER_MAPPED, 512))
        value = self.manager.halves.read(process, index)
        wrong = [{"result": 1}, said(False)]
        if value is not None and index in OWN:
            wrong = [said(False)]
        self.write({"op": "pml4.read", "process": process, "index": index}, answered(value), wrong)

    def dump(self) -> None:
        process = self.random.randrange(3)
        values = self.manager.halves.dump(process)
        wrong = [said(False)] if values else [{"result": [0] * 512}]
        for index in NEVER_MAPPED if values else ():
            wrong.append({"result": [*values[:index], 1, *values[index + 1 :]]})
        self.write({"op": "pml4.dump", "process": process}, answered(values), wrong)

    # Ranges

    def block(self) -> tuple[int, int, int]:
        """A process, and a block of its range; often one that is allocated."""
        process = self.random.randrange(3)
        space = self.manager.spaces.spaces.get(process)
        blocks = [(page, pages) for page, pages, taken in space.blocks() if taken] if space else []
        if blocks and self.random.random() < 0.6:
            return process, *self.random.choice(blocks)
        pages = self.random.choice((0, 1, 2, 3, 4, 8, 16))
        page = self.random.randrange(17)
        return process, page // max(1, pages) * max(1, pages) if self.random.random() < 0.7 else page, pages

    def address(self, process: int, page: int) -> str:
        return hex(GEOMETRY.range_of(process).start + page * PAGE)

    def allocate_range(self) -> None:
        process, _, pages = self.block()
        page = self.manager.allocate_range(process, pages)
        wrong = [answered(self.address(process, other)) for other in range(17)]
        answer = answered(None if page is None else self.address(process, page))
        self.write({"op": "range.allocate", "process": process, "pages": pages}, answer, [*wrong, said(False)])

    def at(self, op: str, process: int, page: int, **more: int) -> Event:
        return {"op": op, "process": process, "address": self.address(process, page)} | more

    def reserve_range(self) -> None:
        process, page, pages = self.block()
        self.flip(
            self.at("range.reserve", process, page, pages=pages), self.manager.reserve_range(process, page, pages)
        )

    def free_range(self) -> None:
        process, page, pages = self.block()
        self.flip(self.at("range.free", process, page, pages=pages), self.manager.free_range(process, page, pages))

    def size_of_range(self) -> None:
        process, page, _ = self.block()
        space = self.manager.spaces.of(process)
        wrong = [{"result": other} for other in (0, 1, 2, 4, 8, 16)]
        answer = answered(space.size(page) if space else None)
        if page < GEOMETRY.range_of(process).pages:
            self.write(self.at("range.size", process, page), answer, [*wrong, said(False)])

    def list_range(self) -> None:
        process = self.random.randrange(3)
        space = self.manager.spaces.of(process)
        blocks = [] if space is None else space.blocks()
        listed = [[self.address(process, page), pages, taken] for page, pages, taken in blocks]
        wrong: Answers = [{"result": listed[:place] + listed[place + 1 :]} for place in range(len(listed))]
        for place, (address, pages, taken) in enumerate(listed):
            further = hex(int(address, 16) + PAGE)
            for other in ([address, pages, not taken], [address, 2 * pages, taken], [further, pages, taken]):
                wrong.append({"result": [*listed[:place], other, *listed[place + 1 :]]})
        event = {"op": "range.list", "process": process}
        self.write(event, answered(listed or None), [*wrong, said(False)] if listed else [{"result": []}])

    # Pages

    def map(self, process: int, virtual: int, leaf: Leaf) -> None:
        self.frames.were_short = False
        accepted = self.manager.map(process, virtual, leaf)
        allowed = {"writable": leaf.writable, "executable": leaf.executable, "global": leaf.global_}
        event = {"op": "page.map", "process": process, "virtual": hex(virtual), "physical": hex(leaf.physical)}
        event |= {"cache": NAMES[leaf.cache]} | allowed
        can_change = self.must_succeed() if accepted else not self.frames.were_short
        self.write(event, said(accepted), [said(not accepted)] if can_change else [])

    def map_some(self) -> None:
        random, frames = self.random, [0, 30, 1 << 30, *self.manager.given]
        flags = [random.random() < 0.5 for _ in range(3)]
        leaf = Leaf(random.choice(frames) * PAGE + 77 * (random.random() < 0.1), random.choice((0, 1, 4, 5, 6)), *flags)
        self.map(random.randrange(3), random.choice((*LOW, *PLACES)) + 5 * (random.random() < 0.1), leaf)

    def unmap(self) -> None:
        process, virtual = self.random.randrange(3), self.random.choice((*LOW, *PLACES))
        release = self.random.random() < 0.5
        accepted = self.manager.unmap(process, virtual, release)
        self.flip({"op": "page.unmap", "process": process, "virtual": hex(virtual), "release": release}, accepted)

    def translate(self) -> None:
        process, virtual = self.random.randrange(3), self.random.choice(PLACES) + 13
        found = self.manager.translate(process, virtual)
        lives = process in self.manager.spaces.spaces
        wrong: Answers = [{"result": other} for other in (None, 13, PAGE + 13, 14)]
        event = {"op": "page.translate", "process": process, "virtual": hex(virtual)}
        self.write(event, {"result": found} if lives else said(False), [*wrong, *([said(False)] if lives else [])])

    def attributes(self) -> None:
        process, virtual = self.random.randrange(3), self.random.choice((*PLACES, *map(self.address_of, range(2, 16))))
        found = self.manager.attributes(process, virtual)
        lives = process in self.manager.spaces.spaces
        result = None if found is None else dict(zip(KEYS, (NAMES[found[0]], *found[1:]), strict=True))
        wrong: Answers = [{"result": dict.fromkeys(KEYS, False) | {"cache": "write-back"}}]
        if result is not None:
            wrong = [{"result": None}, {"result": result | {"cache": "write-combining"}}]
            wrong += [{"result": result | {key: not result[key]}} for key in KEYS[1:]]
        event = {"op": "page.attributes", "process": process, "virtual": hex(virtual)}
        self.write(event, {"result": result} if lives else said(False), [*wrong, *([said(False)] if lives else [])])

    # Kernel pages

    def address_of(self, page: int) -> int:
        return self.manager.address_of(page)

    def allocate_pages(self) -> None:
        manager, pages = self.manager, self.random.randrange(6)
        held = {self.address_of(page) for page in manager.frame_at}
        in_the_way = [each for each in PLACES[4:7] if manager.translate(0, each) is not None and each not in held]
        address = manager.allocate_pages(pages)
        event = {"op": "kernel_pages.allocate", "pages": pages}
        wrong: Answers = [{"result": hex(self.address_of(other))} for other in range(17)]
        if address is None:
            self.write(event, said(False), wrong)
            return
        first = (address - KERNEL) // PAGE
        frames = [manager.frame_at[first + at] * PAGE for at in range(pages)]
        named = {"result": hex(address), "frames": frames}
        wrong = [named | other for other in wrong] + ([] if in_the_way else [said(False)])
        wrong += [named | {"frames": other} for other in (frames[1:], [*frames[1:], 0], [*frames, 0], [0, *frames[1:]])]
        self.write(event, named, wrong)

    def free_pages(self) -> None:
        lengths = self.manager.lengths
        first, pages = self.random.randrange(17), self.random.randrange(6)
        if lengths and self.random.random() < 0.7:
            first = self.random.choice(sorted(lengths))
            pages = lengths[first] + (self.random.random() < 0.2)
        address = self.address_of(first) + 5 * (self.random.random() < 0.1)
        event = {"op": "kernel_pages.free", "address": hex(address), "pages": pages}
        self.flip(event, self.manager.free_pages(address, pages))


STEPS: Sequence[Callable[[Recorder], None]] = (
    *(5 * [Recorder.allocate_frame] + 9 * [Recorder.map_some] + 3 * [Recorder.allocate_pages]),
    *(2 * [Recorder.create] + 2 * [Recorder.unmap] + 2 * [Recorder.allocate_range] + 2 * [Recorder.free_pages]),
    *(2 * [Recorder.get_frame] + 2 * [Recorder.put_frame]),
    *(Recorder.free_frame, Recorder.is_free, Recorder.free_count, Recorder.exit, Recorder.read_entry, Recorder.dump),
    *(Recorder.reserve_range, Recorder.free_range, Recorder.size_of_range, Recorder.list_range),
    *(Recorder.translate, Recorder.attributes),
)


def recorded(recorder: Recorder, count: int, steps: Sequence[Callable[[Recorder], None]] = STEPS) -> Recorder:
    """So many random steps, and then what each frame is."""
    for _ in range(count):
        recorder.random.choice(steps)(recorder)
    for frame in range(GEOMETRY.frames):
        recorder.is_free(frame)
    return recorder
