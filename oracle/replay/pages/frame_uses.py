"""Replays `frame.get` and `frame.put`: uses of frames that no page shows.

They hold a frame as pages that show it do: by the last of both it may be released.
"""

from __future__ import annotations

from msgspec import UNSET

from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, since, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.replay.common.partial_state import Holdings
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.spec import manager_gets as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number


class FrameUses:
    """The gets of one trace, which are kept with its frames.  put: by frame, the line of the last put of it."""

    def __init__(self, rules: Rules, frames: FrameReplay, pages: MappedPages) -> None:
        self.rules = rules
        self.frames = frames
        self.pages = pages
        self.put_by: dict[int, int] = {}

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.FrameGet: self.get, events.FramePut: self.put}

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.FrameGet: lambda event, line: self.violated_by_get(number(event.address)),
            events.FramePut: lambda event, line: self.violated_by_put(number(event.address)),
        }

    def violated_by_get(self, address: int) -> Clause | None:
        frame = address >> self.rules.geometry.page_shift
        return self.frames.misaligned(address) or law.get.broken(self.state(), frame=frame)

    def violated_by_put(self, address: int) -> Clause | None:
        frame = address >> self.rules.geometry.page_shift
        return self.frames.misaligned(address) or law.put.broken(self.state(), frame=frame)

    def state(self) -> Holdings:
        frames = self.frames
        return Holdings(exists=frames.bitmap.exists, is_free=frames.bitmap.is_free, gets=frames.gets_of)

    # frame.get

    def get(self, event: events.FrameGet, line: int) -> Finding | None:
        address, frames = number(event.address), self.frames
        frame = frames.geometry.frame_at(address)
        if event.error is not UNSET:
            return self.get_failed(event, address)
        bitmap, finding = frames.bitmap, None
        if frame is None or bitmap.is_free(frame) or not bitmap.exists(frame):
            finding = self.got_wrongly(address, frame)
        if frame is not None:
            frames.gets[frame] = frames.gets.get(frame, 0) + 1
            frames.got_by[frame] = line
        return finding

    def got_wrongly(self, address: int, frame: int | None) -> Finding | None:
        """A get of a frame that is free: it may be one of those that were taken without saying so."""
        clause, state = broken(self.violated_by_get(address)), self.frames.around(address)
        if self.rules.safe or (frame is not None and self.frames.bitmap.is_free(frame) and self.may_be_taken(frame)):
            return None
        if frame is not None:
            self.pages.doubts.miscounted.add(frame)
        message = self.frames.describe(address)
        return Finding(clause.name, clause.says, message, REFUSAL, state, state)

    def may_be_taken(self, frame: int) -> bool:
        """Whether a frame that is free by the trace may not be; if not, from now on that is in doubt."""
        if self.rules.hides_frames:
            return True
        self.frames.spread()
        doubts = self.frames.doubts
        explained = frame in doubts.frames or doubts.unnamed < 0
        doubts.add([frame])
        return explained

    def get_failed(self, event: events.FrameGet, address: int) -> Finding | None:
        if self.rules.safe:
            return None
        self.frames.spread()
        frame, state = address >> self.rules.geometry.page_shift, self.frames.around(address)
        if frame in self.frames.doubts.frames:
            return None
        self.frames.doubts.add([frame])
        return wrongly_failed(law.get.name, event.error, "success", law.get.says, state)

    # frame.put

    def put(self, event: events.FramePut, line: int) -> Finding | None:
        address, frames = number(event.address), self.frames
        frame = frames.geometry.frame_at(address)
        if event.error is not UNSET:
            return self.put_failed(event, address)
        if frame is None or frame not in frames.gets:
            return self.put_wrongly(event, address, frame, line)
        self.put_by[frame] = line
        if frames.gets[frame] > 1:
            frames.gets[frame] -= 1
            return None
        del frames.gets[frame], frames.got_by[frame]
        if event.release:
            self.release(frame, line)
        return None

    def release(self, frame: int, line: int) -> None:
        """The last get of a frame is gone: it is free if no page shows it, too."""
        doubts = self.pages.doubts
        if frame in doubts.miscounted:
            self.frames.doubts.add([frame])
        if frame in self.frames.uses:
            self.pages.withhold(frame, line)
        else:
            self.frames.release(frame, line)

    def put_wrongly(self, event: events.FramePut, address: int, frame: int | None, line: int) -> Finding | None:
        """There may be one use less than there seems to be; the last may be gone."""
        clause, state = broken(self.violated_by_put(address)), self.frames.around(address)
        if frame is not None:
            self.frames.spread()
            if event.release and self.frames.bitmap.is_free(frame) and self.frames.doubts.settle(frame):
                return None
            self.pages.doubts.miscounted.add(frame)
            if event.release:
                self.frames.doubts.add([frame])
        message = self.frames.describe(address)
        if clause is law.a_get_is_left:
            last = since(self.put_by.get(address >> self.rules.geometry.page_shift, 0), "the last was put by")
            message = f"no get of frame {address >> self.rules.geometry.page_shift} is left{last}"
        return None if self.rules.safe else Finding(clause.name, clause.says, message, REFUSAL, state, state)

    def put_failed(self, event: events.FramePut, address: int) -> Finding | None:
        """A get was made by the trace, and seems not to have been."""
        frame, state = address >> self.rules.geometry.page_shift, self.frames.around(address)
        if self.rules.safe:
            return None
        self.frames.spread()
        if frame in self.frames.doubts.frames:
            return None
        self.frames.doubts.add([frame])
        return wrongly_failed(law.put.name, event.error, "success", law.put.says, state)
