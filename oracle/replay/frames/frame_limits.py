"""Replays `frame.allocate` where it names limits or an alignment: any free frame within these may be given."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import UNSET

from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import EXACT, Handlers, Misuses, Rules
from memoracle.replay.frames.frames import FrameReplay
from memoracle.spec import bitmap as law
from memoracle.spec.boot import TOP
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry
from memoracle.trace import events
from memoracle.trace.decoding import MalformedLine
from memoracle.trace.numbers import number

FEW = 8  # frames of which a wrong refusal may tell that they have leaked
MOST_KNOWN = 1 << 10  # requests
IS_POWER_OF_TWO, LIES_WITHIN = law.alignment_is_a_power_of_two.holds, law.lies_within_limits.holds
IS_ALIGNED = law.is_aligned_as_asked.holds


class Limits(NamedTuple):
    """What a request names. alignment, lowest, below: bytes; the last one is 2^64 where none is named.

    frames: the same in frames, as the reference's `allocate_within` takes it: the alignment, the first frame, and the
    one after the last.
    """

    alignment: int
    lowest: int
    below: int
    frames: tuple[int, int, int]

    @property
    def words(self) -> str:
        """Which frames may be given."""
        named = (
            f"at a multiple of {self.alignment:#x}" if self.alignment != 1 else "",
            f"from {self.lowest:#x} on" if self.lowest else "",
            f"below {self.below:#x}" if self.below < TOP else "",
        )
        return " ".join(filter(None, ("a free frame", *named)))


def limits_of(event: events.FrameAllocate, geometry: Geometry) -> Limits:
    """Raises BadNumber."""
    alignment = 1 if event.alignment is UNSET else number(event.alignment)
    lowest = 0 if event.from_ is UNSET else max(number(event.from_), 0)
    below = TOP if event.below is UNSET else min(max(number(event.below), 0), TOP)
    aligned = alignment if alignment <= 0 else geometry.frame_alignment(alignment)
    return Limits(alignment, lowest, below, (aligned, *geometry.frames_within(lowest, below)))


def refuse_unknown_arguments(event: events.FrameAllocate | events.FrameFree, geometry: Geometry) -> None:
    """Raises MalformedLine for an argument that the geometry's allocator of frames does not have."""
    for key in ("count", "order", "zone"):
        if getattr(event, key, UNSET) is not UNSET and not (key == "zone" and geometry.zones):
            why = "it has no zones" if key == "zone" else f'its frame_allocator, "{geometry.frame_allocator}", has none'
            raise MalformedLine(f"{key}: no such argument in this geometry: {why}")


class FrameLimits:
    """The requests of one trace for frames within limits. known: by all that they name, what they ask for."""

    def __init__(self, rules: Rules, frames: FrameReplay) -> None:
        self.rules = rules
        self.frames = frames
        self.known: dict[tuple[object, ...], Limits] = {}
        frames.allocate_within = self.allocate
        frames.refuse_unknown_arguments = lambda event: refuse_unknown_arguments(event, rules.geometry)

    def handlers(self) -> Handlers:
        """None of its own: what replays frames hands on the requests that name limits."""
        return {}

    def misuses(self) -> Misuses:
        return {events.FrameAllocate: self.violated_by_allocate}

    def violated_by_allocate(self, event: events.FrameAllocate, line: int) -> Clause | None:
        clause = law.alignment_is_a_power_of_two
        return None if event.alignment is UNSET or clause(None, number(event.alignment)) else clause

    def allocate(self, event: events.FrameAllocate, line: int) -> Finding | None:
        asked = self.asked(event)
        if event.result is None:
            return self.failed(event, asked)
        frame, clause = self.frames.frame_at(number(event.result)), None
        if frame is None or not is_placed(asked, frame):
            clause = self.violated_by_allocate(event, line)
            if clause is None and frame is not None and self.frames.bitmap.is_free(frame):
                clause = self.misplaced(asked, frame)
        other = None
        if clause is None and self.rules.level == EXACT and not self.rules.hides_frames:
            other = self.another(asked, frame)
        before = {} if clause is None else self.frames.around(number(event.result))
        found = self.frames.allocate_this(number(event.result), line)
        if clause is not None and frame is not None and found is None:
            message, legal = self.said(clause, asked, frame), self.choices(asked)
            after = self.frames.around(number(event.result))
            return Finding(clause.name, clause.says, message, legal, before, after)
        return found or other

    def asked(self, event: events.FrameAllocate) -> Limits:
        """Raises BadNumber and MalformedLine."""
        if not event.count is event.order is event.zone is UNSET:
            refuse_unknown_arguments(event, self.rules.geometry)
        key = event.alignment, event.from_, event.below
        asked = self.known.get(key)
        if asked is None:
            asked = limits_of(event, self.rules.geometry)
            if len(self.known) < MOST_KNOWN:
                self.known[key] = asked
        return asked

    def misplaced(self, asked: Limits, frame: int) -> Clause | None:
        """The clause that keeps a free frame from being given."""
        alignment, first, last = asked.frames
        state = self.frames.state()
        return law.allocate_within.broken(state, alignment=alignment, first=first, last=last, frame=frame)

    def another(self, asked: Limits, frame: int | None) -> Finding | None:
        """What is found at `exact` where the frame is free, but not the lowest that is, within the limits."""
        lowest = next(iter(self.free_within(asked, 1)), None)
        if frame is None or lowest is None or lowest == frame or not self.frames.bitmap.is_free(frame):
            return None
        self.frames.spread()
        if self.frames.doubts.explain_passing_over(frame):
            return None
        at = lowest << self.rules.geometry.page_shift
        state = self.frames.around(frame << self.rules.geometry.page_shift)
        message = f"frame {frame} was allocated, but frame {lowest} is free and lower, within the limits"
        says = "the reference allocates the lowest free frame within the limits"
        return Finding(f"frame.allocate.{PREFERS}", says, message, f"frame {lowest} ({at:#x})", state, state)

    def free_within(self, asked: Limits, most: int) -> list[int]:
        """The lowest free frames within the limits, so many at the most."""
        bitmap, found = self.frames.bitmap, list[int]()
        while len(found) < most:
            frame = bitmap.allocate_within(*asked.frames)
            if frame is None:
                break
            found.append(frame)
        for frame in found:
            bitmap.free(frame)
        return found

    def failed(self, event: events.FrameAllocate, asked: Limits) -> Finding | None:
        self.frames.notice_exhaustion()
        if self.rules.lacking_passes:
            return None
        self.frames.spread()
        doubts = self.frames.doubts
        missing = doubts.missing
        found = self.free_within(asked, max(missing, FEW) + 1)
        if len(found) <= missing:
            return None
        if len(found) <= FEW:
            doubts.lose(found)
        says = law.allocate_within.says
        return wrongly_failed("frame.allocate", event.error, self.choices(asked), says, self.frames.totals())

    # In words

    def choices(self, asked: Limits) -> str:
        lowest = next(iter(self.free_within(asked, 1)), None)
        if lowest is None:
            return REFUSAL
        return f"the lowest: frame {lowest}" if self.rules.level == EXACT else asked.words

    def said(self, clause: Clause, asked: Limits, frame: int) -> str:
        geometry = self.rules.geometry
        address, end = frame << geometry.page_shift, frame + 1 << geometry.page_shift
        if clause is law.alignment_is_a_power_of_two:
            return f"{asked.alignment} is not a power of two"
        if clause is law.is_aligned_as_asked:
            return f"frame {frame} begins at {address:#x}, which is not a multiple of {asked.alignment:#x}"
        broken(clause if clause is law.lies_within_limits else None)
        if address < asked.lowest:
            return f"frame {frame} begins at {address:#x}, below {asked.lowest:#x}"
        return f"frame {frame} ends at {end:#x}, above {asked.below:#x}"


def is_placed(asked: Limits, frame: int) -> bool:
    """Whether a frame lies where it was asked for: what the law wants besides is that it is free."""
    alignment, first, last = asked.frames
    placed = LIES_WITHIN(None, first, last, frame) and IS_ALIGNED(None, alignment, frame)
    return bool(IS_POWER_OF_TWO(None, asked.alignment) and placed)
