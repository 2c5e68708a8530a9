"""Random runs: whatever the reference does conforms, and so does what another right allocator does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT, LEGAL, LEVELS, Rules
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy, Spaces
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.dispatch import Replay
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import Piece
from memoracle.trace.geometry import geometry_from

PAGE = 1 << 21
GEOMETRY = geometry_from(
    {
        "frames": 70,
        "kernel_range": {"start": "0xffffffff00000000", "pages": 16},
        "kernel_reserved": [{"page": 0, "pages": 2}, {"page": 15, "pages": 1}],
        "process_range": {"start": 0, "pages": 32},
    }
)
Event = dict[str, Any]
STEPS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 80), st.integers(0, 9), st.integers(0, 3)), max_size=60)


def divergences(events: list[Event], level: str, geometry: Geometry = GEOMETRY) -> list[Divergence]:
    replay = Replay(Rules(geometry, level), "random")
    found = list(replay.divergences(msgspec.json.encode(event) for event in events))
    assert replay.events == len(events)
    return found


def said(accepted: bool) -> Event:
    return {} if accepted else {"error": "refused"}


def told(answer: object) -> Event:
    return {"error": "refused"} if answer is None else {"result": answer}


class Machine:
    """The reference itself, recorded."""

    def __init__(self) -> None:
        self.frames = Bitmap(GEOMETRY.frames, GEOMETRY.never_free_frames)
        self.frames.add(GEOMETRY.kernel_image_frames, GEOMETRY.frames)
        self.spaces = Spaces(4, 5)
        for piece in GEOMETRY.kernel_reserved:
            self.spaces.spaces[0].fix(piece.page, piece.pages)
        self.tables = KernelHalf()

    def step(self, kind: int, place: int, amount: int, process: int) -> Event:
        space = self.spaces.of(process)
        at = GEOMETRY.range_of(process).start + place * PAGE
        asked: Event = {"process": process, "address": hex(at)}
        match kind:
            case 0 | 1:
                frame = self.frames.allocate()
                return {"op": "frame.allocate"} | told(None if frame is None else hex(frame * PAGE))
            case 2:
                accepted = place < self.frames.frames and self.frames.free(place)
                return {"op": "frame.free", "address": place * PAGE} | said(accepted)
            case 3:
                answer = self.frames.is_free(place) if place < self.frames.frames else None
                return {"op": "frame.is_free", "address": place * PAGE + amount} | told(answer)
            case 4:
                return {"op": "frame.free_count", "result": self.frames.count()}
            case 5:
                page = space.allocate(amount) if space else None
                start = None if page is None else hex(GEOMETRY.range_of(process).start + page * PAGE)
                return {"op": "range.allocate", "process": process, "pages": amount} | told(start)
            case 6:
                accepted = space is not None and space.reserve(place, amount)
                return {"op": "range.reserve", "pages": amount} | asked | said(accepted)
            case 7:
                accepted = space is not None and space.free(place, amount)
                return {"op": "range.free", "pages": amount} | asked | said(accepted)
            case 8:
                return {"op": "range.size"} | asked | told(space.size(place) if space else None)
            case 9:
                return {"op": "range.list", "process": process} | told(listed(process, space) if space else None)
            case 10:
                return self.process(amount, process)
            case _:
                return self.entry(amount, process, place)

    def process(self, amount: int, process: int) -> Event:
        if amount < 5:
            accepted = self.tables.exit(process) and self.spaces.exit(process)
            return {"op": "process.exit", "process": process} | said(accepted)
        new = next(number for number in range(1, 99) if number not in self.tables.live)
        self.tables.create(new)
        self.spaces.create(new)
        return {"op": "process.create", "result": new}

    def entry(self, amount: int, process: int, place: int) -> Event:
        index = 200 + place
        if amount < 5:
            accepted = self.tables.write(process, index, amount)
            return {"op": "pml4.write", "process": process, "index": index, "value": amount} | said(accepted)
        if amount < 9:
            return {"op": "pml4.read", "process": process, "index": index} | told(self.tables.read(process, index))
        return {"op": "pml4.dump", "process": process} | told(self.tables.dump(process))


def listed(process: int, space: Buddy) -> list[tuple[str, int, bool]]:
    start = GEOMETRY.range_of(process).start
    return [(hex(start + page * PAGE), pages, allocated) for page, pages, allocated in space.blocks()]


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_reference_conforms_at_every_level(steps: list[tuple[int, int, int, int]]) -> None:
    machine = Machine()
    events = [machine.step(*step) for step in steps]
    assert [divergences(events, level) for level in LEVELS] == [[], [], []]


def highest_frames_first(choices: list[int]) -> Iterator[Event]:
    free, live = set(range(2, 70)), []
    for choice in choices:
        if choice % 2 and live:
            frame = live.pop(choice % len(live))
            free.add(frame)
            yield {"op": "frame.free", "address": frame * PAGE}
        elif free:
            frame = max(free)
            free.remove(frame)
            live.append(frame)
            yield {"op": "frame.allocate", "result": frame * PAGE}
        else:
            yield {"op": "frame.allocate", "error": "none"}
        yield {"op": "frame.free_count", "result": len(free)}


def best_fit_from_the_top(choices: list[int]) -> Iterator[Event]:
    """A buddy system by other means: a set of free pages, from which the highest block of the smallest run is taken."""
    free, live = set(range(32)), []

    def whole(order: int, block: int) -> bool:
        return all(page in free for page in range(block << order, block + 1 << order))

    yield {"op": "process.create", "result": 1}
    for choice in choices:
        pages = 1 + choice % 9
        if choice % 2 and live:
            page, size = live.pop(choice % len(live))
            free |= set(range(page, page + (1 << (size - 1).bit_length())))
            yield {"op": "range.free", "process": 1, "address": page * PAGE, "pages": size}
            continue
        order = (pages - 1).bit_length()
        fits = [
            (larger, (block << larger - order) + (1 << larger - order) - 1)
            for larger in range(order, 6)
            for block in range(32 >> larger)
            if whole(larger, block) and (larger == 5 or not whole(larger + 1, block >> 1))
        ]
        if not fits:
            yield {"op": "range.allocate", "process": 1, "pages": pages, "error": "no fit"}
            continue
        smallest = min(larger for larger, _ in fits)
        page = max(block for larger, block in fits if larger == smallest) << order
        free -= set(range(page, page + (1 << order)))
        live.append((page, pages))
        yield {"op": "range.allocate", "process": 1, "pages": pages, "result": page * PAGE}


@pytest.mark.parametrize("implementation", [highest_frames_first, best_fit_from_the_top])
@given(choices=st.lists(st.integers(0, 1000), min_size=5, max_size=80))
@settings(max_examples=100, deadline=None)
def test_other_choices_are_legal(implementation: Any, choices: list[int]) -> None:
    events = list(implementation(choices))
    assert [divergences(events, level) for level in LEVELS if level != EXACT] == [[], []]


@pytest.mark.parametrize("implementation", [highest_frames_first, best_fit_from_the_top])
def test_other_choices_are_not_the_references(implementation: Any) -> None:
    assert divergences(list(implementation([0, 0, 0])), EXACT) != []


@settings(max_examples=100, deadline=None)
@given(STEPS.filter(bool), st.data())
def test_answer_that_is_turned_round_diverges(steps: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    """Where the law leaves no choice, any other answer than the reference's is a divergence in its very line."""
    machine = Machine()
    events = [machine.step(*step) for step in steps]
    place = data.draw(st.integers(0, len(events) - 1))
    event = events[place]
    if event["op"] == "process.create" or (event["op"] == "range.size" and event.get("result") == 0):
        return  # a failure may be as good: no kernel range is left, or the address is outside the range
    turned = {key: value for key, value in event.items() if key not in ("result", "error")}
    if "error" in event and event["op"] in ("frame.free", "range.reserve", "range.free", "process.exit", "pml4.write"):
        events[place] = turned
    elif "error" not in event:
        events[place] = turned | {"error": "refused"}
    else:
        return
    found = divergences(events[: place + 1], LEGAL)
    assert [divergence.line for divergence in found] == [place + 2]


def test_machine_is_the_geometrys() -> None:
    assert GEOMETRY.kernel_reserved == (Piece(0, 2), Piece(15, 1))
    assert divergences([{"op": "range.list", "result": listed(0, Machine().spaces.spaces[0])}], EXACT) == []
