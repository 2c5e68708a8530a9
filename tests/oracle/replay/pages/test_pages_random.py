"""Random runs of pages and kernel pages: whatever the reference does conforms, and no other answer does."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from page_events import KERNEL, PAGE
from small_geometry import small

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import LEGAL, LEVELS, Rules
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.replay.dispatch import Replay
from memoracle.replay.pages.table_frames import TableFrames
from memoracle.trace.memory_types import NAMES, NUMBERS

GEOMETRY = small(frames=12)
# Two tables of the lower half, the upper half, the kernel's range, and what is no page.
PLACES = [0, PAGE, 600 * PAGE, 0xFFFF900000000000, KERNEL + 2 * PAGE, KERNEL + 4 * PAGE, KERNEL + 5 * PAGE, 1 << 47, 77]
Event = dict[str, Any]
Step = tuple[int, int, int, int]
STEPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 8), st.integers(0, 13), st.integers(0, 2)), max_size=60)


def divergences(events: list[Event], level: str) -> list[Divergence]:
    replay = Replay(Rules(GEOMETRY, level), "random")
    found = list(replay.divergences(msgspec.json.encode(event) for event in events))
    assert replay.events == len(events)
    return found


def said(accepted: object) -> Event:
    return {} if accepted else {"error": "refused"}


class Machine:
    """The reference's parts, put together and recorded; its tables take no frames of the bitmap."""

    def __init__(self, names_frames: bool) -> None:
        self.names_frames = names_frames
        self.frames = Bitmap(GEOMETRY.frames, GEOMETRY.never_free_frames)
        self.frames.add(GEOMETRY.kernel_image_frames, GEOMETRY.frames)
        self.kernel_range = Buddy(4)
        self.kernel_range.fix(0, 2)
        layout = Layout(GEOMETRY.physical_address_bits, GEOMETRY.pat_register)
        self.paging = Paging(TableFrames(), KernelHalf(), layout, GEOMETRY.leaf_level, GEOMETRY.frames)
        self.held: dict[int, list[int]] = {}

    def step(self, kind: int, place: int, amount: int, process: int) -> Event:
        virtual = PLACES[place]
        asked: Event = {"process": process, "virtual": hex(virtual)}
        match kind:
            case 0 | 1 | 2:
                physical, cache = amount * PAGE, (place + amount) % 8
                leaf = Leaf(physical, cache if cache in NAMES else 6, amount % 2 == 0, amount % 3 == 0, amount % 5 == 0)
                allowed = {"writable": leaf.writable, "executable": leaf.executable, "global": leaf.global_}
                accepted = self.paging.map(process, virtual, leaf)
                return (
                    {"op": "page.map", "physical": physical, "cache": NAMES[leaf.cache]}
                    | allowed
                    | asked
                    | said(accepted)
                )
            case 3 | 4:
                return self.unmap(process, virtual, amount % 2 == 0) | asked
            case 5:
                answer = self.paging.translate(process, virtual + amount)
                told = {"result": answer} if process in self.paging.roots else {"error": "nobody"}
                return {"op": "page.translate"} | asked | {"virtual": hex(virtual + amount)} | told
            case 6:
                return {"op": "page.attributes"} | asked | self.attributes(process, virtual)
            case 7:
                frame = self.frames.allocate()
                return {"op": "frame.allocate"} | ({"error": "none"} if frame is None else {"result": frame * PAGE})
            case 8:
                held = any(amount in frames for frames in self.held.values())
                accepted = amount < GEOMETRY.frames and not held and self.frames.free(amount)
                return {"op": "frame.free", "address": amount * PAGE} | said(accepted)
            case 9:
                return {"op": "frame.free_count", "result": self.frames.count()}
            case 10:
                return self.process(process)
            case 11:
                return self.allocate(amount % 5)
            case _:
                return self.free(amount % 8 + 2, place % 5)

    def unmap(self, process: int, virtual: int, release: bool) -> Event:
        kernel = any(0 <= virtual - KERNEL - page * PAGE < len(frames) * PAGE for page, frames in self.held.items())
        unmapped = None if kernel else self.paging.unmap(process, virtual)
        if unmapped is not None and unmapped.last and release:
            self.release(unmapped.frame)
        return {"op": "page.unmap", "release": release} | said(unmapped)

    def release(self, frame: int) -> None:
        if not any(frame in frames for frames in self.held.values()):
            self.frames.free(frame)

    def attributes(self, process: int, virtual: int) -> Event:
        found = self.paging.attributes(process, virtual)
        if found is None:
            return {"result": None} if process in self.paging.roots else {"error": "nobody"}
        cache, writable, user, executable, global_ = found
        told = {"cache": NAMES[cache], "writable": writable, "user": user, "executable": executable, "global": global_}
        return {"result": told}

    def process(self, process: int) -> Event:
        released = self.paging.exit(process)
        if released is None:
            return {"op": "process.create", "result": process} if self.paging.create(process) else self.refused_exit()
        for frame in released:
            self.release(frame)
        return {"op": "process.exit", "process": process}

    def refused_exit(self) -> Event:
        return {"op": "process.exit", "process": 0, "error": "the kernel"}

    def allocate(self, pages: int) -> Event:
        page = self.kernel_range.allocate(pages)
        if page is None:
            return {"op": "kernel_pages.allocate", "pages": pages, "error": "none"}
        mapped = any(self.paging.translate(0, KERNEL + (page + at) * PAGE) is not None for at in range(pages))
        if self.frames.count() < pages or mapped:
            self.kernel_range.free(page, pages)
            return {"op": "kernel_pages.allocate", "pages": pages, "error": "none"}
        frames = [frame for _ in range(pages) if (frame := self.frames.allocate()) is not None]
        for at, frame in enumerate(frames):
            assert self.paging.map(0, KERNEL + (page + at) * PAGE, Leaf(frame * PAGE, NUMBERS["write-back"]))
        self.held[page] = frames
        named = {"frames": [frame * PAGE for frame in frames]} if self.names_frames else {}
        return {"op": "kernel_pages.allocate", "pages": pages, "result": hex(KERNEL + page * PAGE)} | named

    def free(self, page: int, pages: int) -> Event:
        accepted = pages > 0 and len(self.held.get(page, ())) == pages
        if accepted:
            for at, frame in enumerate(self.held.pop(page)):
                self.paging.unmap(0, KERNEL + (page + at) * PAGE)
                self.frames.free(frame)
            self.kernel_range.free(page, pages)
        return {"op": "kernel_pages.free", "address": hex(KERNEL + page * PAGE), "pages": pages} | said(accepted)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_reference_conforms_at_every_level(steps: list[Step], names_frames: bool) -> None:
    machine = Machine(names_frames)
    events = [machine.step(*step) for step in steps]
    assert [divergences(events, level) for level in LEVELS] == [[], [], []]


@settings(max_examples=300, deadline=None)
@given(STEPS.filter(bool), st.data())
def test_answer_that_is_turned_round_diverges(steps: list[Step], data: st.DataObject) -> None:
    """Where the law leaves no choice, any other answer than the reference's is a divergence in its very line."""
    machine = Machine(names_frames=True)
    events, counts, mapped = [], [], []
    for step in steps:
        counts.append(machine.frames.count())
        mapped.append(any(machine.paging.translate(0, at) is not None for at in PLACES if KERNEL <= at))
        events.append(machine.step(*step))
    place = data.draw(st.integers(0, len(events) - 1))
    event = events[place]
    turned = {key: value for key, value in event.items() if key not in ("result", "error")}
    if event["op"] == "process.create" or (event["op"] == "page.map" and counts[place] == 0):
        return  # a failure may be as good
    if event["op"] == "kernel_pages.allocate" and mapped[place]:
        return  # likewise: what is mapped in the kernel's range may be in the way
    if "error" not in event:
        events[place] = turned | {"error": "refused"}
    elif event["op"] in ("page.map", "page.unmap", "frame.free", "process.exit", "kernel_pages.free"):
        events[place] = turned
    else:
        return
    found = divergences(events[: place + 1], LEGAL)
    assert [divergence.line for divergence in found] == [place + 2]
