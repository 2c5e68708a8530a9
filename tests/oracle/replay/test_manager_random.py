"""Random runs of the whole reference: what it does conforms at every level, though its tables take frames unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from page_events import KERNEL, PAGE
from small_geometry import small

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import LEVELS, Rules
from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.replay.dispatch import Replay
from memoracle.trace.memory_types import NAMES

GEOMETRY = small(frames=24)
PLACES = [0, PAGE, 600 * PAGE, 0xFFFF900000000000, KERNEL + 2 * PAGE, KERNEL + 5 * PAGE, 1 << 47, 77]
Event = dict[str, Any]
Step = tuple[int, int, int, int]
STEPS = st.lists(st.tuples(st.integers(0, 13), st.integers(0, 7), st.integers(0, 25), st.integers(0, 2)), max_size=60)


def divergences(events: list[Event], level: str) -> list[Divergence]:
    replay = Replay(Rules(GEOMETRY, level, private_frames=True), "random")
    return list(replay.divergences(msgspec.json.encode(event) for event in events))


def said(accepted: bool) -> Event:
    return {} if accepted else {"error": "refused"}


def told(answer: object) -> Event:
    return {"error": "refused"} if answer is None else {"result": answer}


class Recorder:
    """A manager, and what is recorded of it."""

    def __init__(self) -> None:
        layout = Layout(GEOMETRY.physical_address_bits, GEOMETRY.pat_register)
        never_free, level = GEOMETRY.never_free_frames, GEOMETRY.leaf_level
        self.manager = Manager(Machine(GEOMETRY.frames, never_free, level, layout, KERNEL, 4, 4, ((0, 2),)))

    def step(self, kind: int, place: int, amount: int, process: int) -> Iterator[Event]:
        """Does one thing, and tells of it; kernel pages tell their frames."""
        manager, virtual = self.manager, PLACES[place]
        lives = process in manager.spaces.spaces
        asked: Event = {"process": process, "virtual": hex(virtual)}
        match kind:
            case 0 | 1 | 2:
                leaf = Leaf(amount * PAGE, 6, amount % 2 == 0, amount % 3 == 0)
                allowed = {"writable": leaf.writable, "executable": leaf.executable}
                accepted = manager.map(process, virtual, leaf)
                yield {"op": "page.map", "physical": leaf.physical} | asked | allowed | said(accepted)
            case 3 | 4:
                release = amount % 2 == 0
                yield {"op": "page.unmap", "release": release} | asked | said(manager.unmap(process, virtual, release))
            case 5:
                answer = manager.translate(process, virtual)
                yield {"op": "page.translate"} | asked | ({"result": answer} if lives else {"error": "nobody"})
            case 6:
                found = manager.attributes(process, virtual)
                keys = ("cache", "writable", "user", "executable", "global")
                result = None if found is None else dict(zip(keys, (NAMES[found[0]], *found[1:]), strict=True))
                yield {"op": "page.attributes"} | asked | ({"result": result} if lives else {"error": "nobody"})
            case 7:
                frame = manager.allocate_frame()
                yield {"op": "frame.allocate"} | told(None if frame is None else frame * PAGE)
            case 8:
                yield {"op": "frame.free", "address": amount * PAGE} | said(manager.free_frame(amount))
            case 9:
                yield {"op": "frame.free_count", "result": manager.bitmap.count()}
            case 10:
                if lives:
                    yield {"op": "process.exit", "process": process} | said(manager.exit(process))
                else:
                    created = manager.create(process)
                    yield {"op": "process.create"} | told(process if created else None)
            case 11:
                address = manager.allocate_pages(amount % 6)
                first = 0 if address is None else (address - KERNEL) // PAGE
                frames = [manager.frame_at[first + at] * PAGE for at in range(amount % 6)] if first else []
                named = {"frames": frames} if first else {}
                answer = None if address is None else hex(address)
                yield {"op": "kernel_pages.allocate", "pages": amount % 6} | named | told(answer)
            case 12:
                at, pages = KERNEL + amount % 16 * PAGE, place
                accepted = manager.free_pages(at, pages)
                yield {"op": "kernel_pages.free", "address": hex(at), "pages": pages} | said(accepted)
            case _:
                page = manager.allocate_range(process, place)
                start = GEOMETRY.range_of(process).start
                answer = None if page is None else hex(start + page * PAGE)
                yield {"op": "range.allocate", "process": process, "pages": place} | told(answer)
                first = amount % 16
                accepted = manager.free_range(process, first, 2)
                at = hex(start + first * PAGE)
                yield {"op": "range.free", "process": process, "address": at, "pages": 2} | said(accepted)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_reference_conforms_at_every_level(steps: list[Step]) -> None:
    recorder = Recorder()
    events = [event for step in steps for event in recorder.step(*step)]
    assert [divergences(events, level) for level in LEVELS] == [[], [], []]
