"""Holds what `frame.is_free` and `frame.free_count` answer against the reference's bitmap.

A wrong answer changes nothing, but is remembered, so that one fault is named once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from msgspec import UNSET

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, Finding, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.proofs.abstraction.objects import places_of
from memoracle.replay.frames.frame_requests import zone_named
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.run_frames import RunFrames
from memoracle.spec import bitmap as law
from memoracle.spec import zones as zone_law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number
from memoracle.trace.quoting import quoted


class FrameAnswers:
    """What is asked of the frames of one trace.

    off: by how many the last wrong count of a zone differed.
    """

    def __init__(self, rules: Rules, frames: FrameReplay) -> None:
        self.rules = rules
        self.frames = frames
        self.off: dict[str, int] = {}

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.FrameIsFree: self.is_free, events.FrameFreeCount: self.free_count}

    def misuses(self) -> Misuses:
        """What of the law each of these questions breaks as it was asked."""
        return {events.FrameIsFree: lambda event, line: self.violated_by_is_free(number(event.address))}

    def is_free(self, event: events.FrameIsFree, line: int) -> Finding | None:
        address = number(event.address)
        if self.rules.safe:
            return None
        frame = self.frames.geometry.frame_reached(address)
        if frame is not None and event.result == self.frames.bitmap.is_free(frame):
            if self.frames.doubts.frames:
                self.frames.doubts.settle(frame)
            return None
        if frame is not None and event.result and self.frames.turn_up(frame, frame + 1):
            return self.is_free(event, line)
        return self.answered_otherwise(event, address)

    def answered_otherwise(self, event: events.FrameIsFree, address: int) -> Finding | None:
        state = self.frames.state()
        frame = address >> self.frames.geometry.page_shift
        refused = self.violated_by_is_free(address)
        before = self.frames.around(address)
        answer = event.result
        if answer is None:
            return wrongly_failed("frame.is_free", event.error, "true or false", law.is_free.says, before)
        if refused is not None:
            return Finding(refused.name, refused.says, self.frames.describe_frame(frame), REFUSAL, before, before)
        clause = law.calls_free_only_the_free if self.rules.hides_frames else law.tells_whether_free
        if clause(state, frame, answer):
            return None
        message = f"it says {str(answer).lower()}, but {self.frames.describe_frame(frame, '')}"
        self.frames.spread()
        doubts = self.frames.doubts
        if frame in doubts.frames:
            return None
        counted_so = doubts.unnamed > 0 if answer else doubts.unnamed < 0
        doubts.frames.add(frame)
        if counted_so:
            return None
        return Finding(clause.name, clause.says, message, str(not answer).lower(), before, before)

    def violated_by_is_free(self, address: int) -> Clause | None:
        return law.is_free.broken(self.frames.state(), frame=address >> self.frames.geometry.page_shift)

    def free_count_of_zone(self, event: events.FrameFreeCount, name: str) -> Finding | None:
        """What is wrong with the count of a zone; how far it is off is remembered, and not named again."""
        zone, answer = zone_named(name, self.rules.geometry), event.result
        bitmap, doubts = self.frames.bitmap, self.frames.doubts
        assert isinstance(bitmap, RunFrames)
        state = places_of(bitmap.runs)
        free = cast("int", state.free_below(zone.end)) - cast("int", state.free_below(zone.start))
        if answer is None:
            says = "asking for the number of free frames always succeeds"
            return wrongly_failed("frame.free_count", event.error, f"{free:,}", says, self.frames.totals())
        counted_now, clause = number(answer), zone_law.tells_the_count_of_a_zone
        if self.rules.hides_frames:
            if 0 <= counted_now <= free:
                return None
        elif clause(state, zone.start, zone.end, counted_now):
            self.off.pop(name, None)
            return None
        if self.frames.count_up(counted_now - free, zone.start, zone.end):
            return self.free_count_of_zone(event, name)
        self.frames.spread()
        least, most, off = free - doubts.missing, free + doubts.surplus, counted_now - free
        if least <= counted_now <= most or off == self.off.get(name) or off in doubts.offsets:
            return None
        self.off[name] = off
        said = f"{counted(counted_now, 'frame')} {agreeing(counted_now, 'is', 'are')}"
        message = f"it says that {said} free in the zone {quoted(name)}, but {free:,} {agreeing(free, 'is', 'are')}"
        legal = f"at most {free:,}" if self.rules.hides_frames else f"{free:,}"
        return Finding(clause.name, clause.says, message, legal, self.frames.totals(), self.frames.totals())

    def free_count(self, event: events.FrameFreeCount, line: int) -> Finding | None:
        answer = None if event.result is None else number(event.result)
        if self.rules.safe:
            return None
        if event.zone is not UNSET:
            return self.free_count_of_zone(event, event.zone)
        free = self.frames.free_frames
        if answer is None:
            says = "asking for the number of free frames always succeeds"
            return wrongly_failed("frame.free_count", event.error, f"{free:,}", says, self.frames.totals())
        clause = law.counts_only_the_free if self.rules.hides_frames else law.tells_the_count
        state = self.frames.state()
        doubts = self.frames.doubts
        as_counted = [offset for offset in {*doubts.offsets, 0} if clause(replace(state, count=free + offset), answer)]
        if as_counted:
            doubts.offsets = as_counted
            doubts.counted(0)
            return None
        if self.frames.count_up(answer - free, 0, self.frames.bitmap.frames):
            return self.free_count(event, line)
        self.frames.spread()
        expected, least, most = free + doubts.count_error, free - doubts.missing, free + doubts.surplus
        expected += doubts.offsets[0]
        for offset in doubts.offsets:
            if clause(replace(state, count=min(max(answer, least + offset), most + offset)), answer):
                doubts.offsets = [offset]
                doubts.counted(answer - free - offset)
                return None
        del doubts.offsets[1:]
        doubts.counted(answer - free - doubts.offsets[0])
        known = "" if expected == free else f", {expected:,} by what was answered before"
        said = f"{counted(answer, 'frame')} {agreeing(answer, 'is', 'are')}"
        message = f"it says that {said} free, but {free:,} {agreeing(free, 'is', 'are')}{known}"
        legal = f"at most {free:,}" if self.rules.hides_frames else f"{free:,}"
        return Finding(clause.name, clause.says, message, legal, self.frames.totals(), self.frames.totals())
