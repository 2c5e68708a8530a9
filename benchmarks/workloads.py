"""What is checked: a trace without end, in which frames, runs of them or ranges are allocated and freed at random, or
pages mapped and unmapped.

The implementation that it is recorded of is the reference itself, so it conforms at every level; or one that picks any
free frame, which conforms at level legal.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

import msgspec

from memoracle.diagnostics.levels import EXACT, LEGAL
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy
from memoracle.impl.runs import Runs
from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import geometry_from

Block = TypeVar("Block")
FRAMES, RUNS, BLOCKS, RANGES, PAGES, MAPPINGS = "frames", "runs", "blocks", "ranges", "pages", "mappings"
ALLOCATORS = {RUNS: "runs", BLOCKS: "buddy"}
PAGE = 1 << 12
IMAGE = 2  # frames of the kernel's image
PROCESS = 1
LIVE = 1 << 15  # blocks that are allocated at a time, at the most
LARGEST = 16  # pages of a block, or frames of a run
FREEING = 0.45  # the share of frees, until as many blocks live as may


@dataclass(frozen=True)
class Workload:
    """Allocating and freeing 2^bits frames, one by one or as runs or blocks, or blocks or runs of a range of 2^bits
    pages; or mapping and unmapping so many pages.

    scattered: any free frame is picked, instead of the lowest.
    """

    kind: str
    bits: int
    scattered: bool = False

    @property
    def name(self) -> str:
        what = {
            FRAMES: f"2^{self.bits} frames",
            RUNS: f"runs of 2^{self.bits} frames",
            BLOCKS: f"blocks of 2^{self.bits} frames",
            RANGES: f"buddy of order {self.bits}",
            PAGES: f"runs of 2^{self.bits} pages",
            MAPPINGS: f"mappings of 2^{self.bits} pages",
        }[self.kind]
        return f"{what}, picked at random" if self.scattered else what

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels at which it is measured: those at which it conforms, and which say something else of it."""
        return (LEGAL,) if self.scattered or self.kind == MAPPINGS else (LEGAL, EXACT)

    @property
    def stated(self) -> dict[str, object]:
        """The geometry, as a trace's header states it."""
        if self.kind == MAPPINGS:
            return {"preset": "x64-4k", "frames": 1 << self.bits}
        if self.kind not in (RANGES, PAGES):
            machine = {"preset": "x64-4k", "frames": 1 << self.bits, "kernel_image_frames": IMAGE}
            return machine | ({"frame_allocator": ALLOCATORS[self.kind]} if self.kind in ALLOCATORS else {})
        stated: dict[str, object] = {"preset": "x64-4k", "process_range": {"start": 0, "pages": 1 << self.bits}}
        return stated | ({"range_allocator": "runs"} if self.kind == PAGES else {})

    @property
    def geometry(self) -> Geometry:
        return geometry_from(self.stated)

    def header(self) -> bytes:
        return msgspec.json.encode({"memoracle": 1, "geometry": self.stated}) + b"\n"

    def lines(self, events: int) -> Iterator[bytes]:
        """The first so many events, each a line; the same at every call."""
        chance = random.Random(self.bits)
        created = b'{"op":"process.create","result":%d}\n' % PROCESS
        if self.kind == MAPPINGS:
            return islice(chain([created], mappings(self.bits, chance)), events)
        if self.kind in (RANGES, PAGES):
            return islice(chain([created], ranges(self.kind, self.bits, chance)), events)
        if self.kind in ALLOCATORS:
            return islice(runs(self.bits, self.kind == BLOCKS, chance), events)
        return islice(frames(self.bits, self.scattered, chance), events)


WORKLOADS = (
    Workload(FRAMES, 11),
    Workload(FRAMES, 20),
    Workload(FRAMES, 26),
    Workload(FRAMES, 26, scattered=True),
    Workload(RUNS, 20),
    Workload(BLOCKS, 20),
    Workload(RANGES, 11),
    Workload(RANGES, 20),
    Workload(RANGES, 26),
    Workload(PAGES, 20),
    Workload(MAPPINGS, 20),
)


def frames(bits: int, scattered: bool, chance: random.Random) -> Iterator[bytes]:
    """Frames are allocated and freed, without end."""
    bitmap = Bitmap(1 << bits, [(0, IMAGE)])
    bitmap.add(IMAGE, 1 << bits)
    live: list[int] = []
    most = min(LIVE, (1 << bits) // 2)
    while True:
        if live and (len(live) == most or chance.random() < FREEING):
            frame = taken_out(live, chance)
            bitmap.free(frame)
            yield b'{"op":"frame.free","address":"%#x"}\n' % (frame * PAGE)
            continue
        frame = pick(bitmap, scattered, chance)
        live.append(frame)
        yield b'{"op":"frame.allocate","result":"%#x"}\n' % (frame * PAGE)


def pick(bitmap: Bitmap, scattered: bool, chance: random.Random) -> int:
    """Allocates a frame, of which half are free at least."""
    if scattered:
        frame = chance.randrange(IMAGE, bitmap.frames)
        return frame if bitmap.take(frame) else pick(bitmap, scattered, chance)
    lowest = bitmap.allocate()
    assert lowest is not None, "fewer live than exist"
    return lowest


def runs(bits: int, as_blocks: bool, chance: random.Random) -> Iterator[bytes]:
    """Runs of frames, or blocks of a buddy system, are allocated and freed, without end."""
    frames = frames_in_blocks(bits) if as_blocks else FirstFit(bits, IMAGE)
    live: list[tuple[int, int]] = []
    most = min(LIVE, (1 << bits) // 2 // LARGEST)
    while True:
        if live and (len(live) == most or chance.random() < FREEING):
            first, count = taken_out(live, chance)
            frames.free(first, count)
            yield b'{"op":"frame.free","address":"%#x","count":%d}\n' % (first * PAGE, count)
            continue
        count = chance.randint(1, LARGEST)
        if as_blocks:
            count = 1 << (count - 1).bit_length()
        found = frames.allocate(count)
        asked = b'{"op":"frame.allocate","count":%d' % count
        if found is None:
            yield asked + b',"error":"no fit"}\n'
        else:
            live.append((found, count))
            yield asked + b',"result":"%#x"}\n' % (found * PAGE)


def frames_in_blocks(bits: int) -> Buddy:
    buddy = Buddy(bits, whole=False)
    buddy.add(IMAGE, (1 << bits) - IMAGE)
    return buddy


class FirstFit:
    """Runs of frames or pages, asked for as blocks of a buddy system are."""

    def __init__(self, bits: int, first: int = 0) -> None:
        """first: none before it can be had."""
        self.runs = Runs(1 << bits)
        self.runs.add(first, (1 << bits) - first)

    def allocate(self, pages: int) -> int | None:
        return self.runs.allocate(pages, 1, 0, self.runs.places)

    def free(self, page: int, pages: int) -> bool:
        return self.runs.free(page, pages)


def ranges(kind: str, bits: int, chance: random.Random) -> Iterator[bytes]:
    """Blocks or runs of a process's range are allocated and freed, and some do not fit, without end."""
    space = FirstFit(bits) if kind == PAGES else Buddy(bits)
    live: list[tuple[int, int]] = []
    while True:
        if live and (len(live) == LIVE or chance.random() < FREEING):
            page, pages = taken_out(live, chance)
            space.free(page, pages)
            yield b'{"op":"range.free","process":%d,"address":"%#x","pages":%d}\n' % (PROCESS, page * PAGE, pages)
            continue
        pages = chance.randint(1, LARGEST)
        found = space.allocate(pages)
        asked = b'{"op":"range.allocate","process":%d,"pages":%d' % (PROCESS, pages)
        if found is None:
            yield asked + b',"error":"no fit"}\n'
        else:
            live.append((found, pages))
            yield asked + b',"result":"%#x"}\n' % (found * PAGE)


def mappings(bits: int, chance: random.Random) -> Iterator[bytes]:
    """Pages of a process are mapped to any frames, and unmapped, without end."""
    live, mapped = list[int](), set[int]()
    most = min(LIVE, (1 << bits) // 2)
    while True:
        if live and (len(live) == most or chance.random() < FREEING):
            page = taken_out(live, chance)
            mapped.remove(page)
            yield b'{"op":"page.unmap","process":%d,"virtual":"%#x"}\n' % (PROCESS, page * PAGE)
            continue
        page, frame = chance.randrange(1 << bits), chance.randrange(1 << bits)
        if page in mapped:
            continue
        live.append(page)
        mapped.add(page)
        asked = b'{"op":"page.map","process":%d,"virtual":"%#x","physical":"%#x"}\n'
        yield asked % (PROCESS, page * PAGE, frame * PAGE)


def taken_out(live: list[Block], chance: random.Random) -> Block:
    """Any of the live blocks, which is one no more."""
    place = chance.randrange(len(live))
    live[place], live[-1] = live[-1], live[place]
    return live.pop()
