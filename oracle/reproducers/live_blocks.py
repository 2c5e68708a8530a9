"""Which blocks are live at the end of a run, as expressions of what its calls gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from memoracle.replay.frames.frame_requests import rounded
from memoracle.reproducers.failing_run import Event, FailingRun, refused
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY

Space: TypeAlias = tuple[str, int]  # what is handed out; of which process
TAKES = {"frame.allocate", "frame.reserve", "range.allocate", "range.reserve", "kernel_pages.allocate", "heap.new"}
RETURNS = {"frame.free", "range.free", "kernel_pages.free", "heap.delete"}
MOST_ORDER = 64  # no machine has more frames
RESIZE, CREATE, EXIT = "heap.resize", "process.create", "process.exit"


@dataclass(frozen=True)
class Piece:
    """Bytes in use. start: the address that was recorded.  text: the same, of what the test's calls give."""

    start: int
    size: int
    text: str

    @property
    def end(self) -> int:
        return self.start + self.size

    def part(self, start: int, end: int) -> Piece:
        added = start - self.start
        return Piece(start, end - start, self.text + (f" + {added}" if added else ""))

    def without(self, start: int, end: int) -> list[Piece]:
        """What is left of it when these bytes are given back."""
        parts = (self.start, min(self.end, start)), (max(self.start, end), self.end)
        return [self.part(low, high) for low, high in parts if low < high]


def space_of(event: Event) -> Space:
    """Where a block of this call lies."""
    family = event["op"].partition(".")[0]
    if family == "kernel_pages":
        return "range", 0
    return family, event.get("process", 0) if family == "range" else 0


def size_of(event: Event, geometry: Geometry) -> int:
    """How many bytes belong to a block that is asked for so; 1 of what is no block of bytes."""
    operation = event["op"]
    if operation == CREATE:
        return 1
    if operation.startswith("heap."):
        return max(1, int(event["bytes"]))
    family = operation.partition(".")[0]
    order = max(0, min(event.get("order", 0), MOST_ORDER))  # a call may have named any
    pages: int = event.get("count", event.get("pages", 1 << order))
    if (geometry.frame_allocator if family == "frame" else geometry.range_allocator) == BUDDY:
        pages = rounded(pages)
    return pages * geometry.page_size


def live_blocks(run: FailingRun, geometry: Geometry) -> list[Piece]:
    """What shares a space with the block of the last call, and was in use before it."""
    live: dict[Space, list[Piece]] = {}
    for place, event in enumerate(run.events[:-1]):
        if not refused(event):
            _follow(live, run, place, geometry)
    last, pieces = run.last, live.get(space_of(run.last), [])
    if last["op"] == RESIZE:
        pieces = [piece for piece in pieces if piece.start != last["address"]]
    return pieces


def _follow(live: dict[Space, list[Piece]], run: FailingRun, place: int, geometry: Geometry) -> None:
    event = run.events[place]
    operation, space = event["op"], space_of(event)
    pieces = live.setdefault(space, [])
    if operation in RETURNS and operation != "heap.delete":
        end = event["address"] + size_of(event, geometry)
        live[space] = [part for piece in pieces for part in piece.without(event["address"], end)]
    elif operation in ("heap.delete", RESIZE):
        live[space] = [piece for piece in pieces if piece.start != event["address"]]
    elif operation == EXIT:
        live[space] = [piece for piece in pieces if piece.start != event["process"]]
        live.pop(("range", event["process"]), None)
    if operation in TAKES | {RESIZE, CREATE}:
        result = event.get("result")
        start = event["address"] if result is None else result
        text = run.argument(place, "address") if result is None else run.variable(place)
        live[space].append(Piece(start, size_of(event, geometry), text))
