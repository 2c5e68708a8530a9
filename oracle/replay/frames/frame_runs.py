"""Replays what is said of several frames in a row: `frame.reserve` takes them, `memory.add` adds them after boot."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, Finding, since, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.impl.bitmap import ALL_BITS, BITS, Bitmap, lowest_bit, lowest_clear_bit
from memoracle.replay.frames.doubted_runs import MOST_DOUBTED
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.run_frames import RunFrames
from memoracle.spec import bitmap as law
from memoracle.spec import boot as boot_law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number

MOST_REFUSED = 8  # additions that were refused wrongly; of older ones it is not thought any more


class FrameRuns:
    """What one trace says of several frames in a row.

    added: the frames that were added, first and one after the last, and the line that added them.
    refused: those that were not, although they had to be; they may be there all the same.
    """

    def __init__(self, rules: Rules, frames: FrameReplay) -> None:
        self.rules = rules
        self.frames = frames
        self.added: list[tuple[int, int, int]] = []
        self.refused: list[tuple[int, int, int]] = []
        frames.turn_up, frames.count_up = self.turn_up, self.count_up

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.FrameReserve: self.reserve, events.MemoryAdd: self.add}

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {events.FrameReserve: self.violated_by_reserve, events.MemoryAdd: self.violated_by_add}

    # frame.reserve

    def reserve(self, event: events.FrameReserve, line: int) -> Finding | None:
        if event.error is not UNSET:
            return self.reserve_refused(event)
        frames, (first, last) = self.frames, self.reserved(event)
        if frames.misaligned(number(event.address)) is None and self.bitmap.reserve(first, last):
            return frames.allocated_row(first, last, line)
        clause, before = self.violated_by_reserve(event, line), frames.around(number(event.address))
        message = "" if clause is None else self.reserve_message(event, clause)
        settled, found = self.take(max(first, 0), min(last, frames.bitmap.frames), line)
        if clause is None or (clause is law.reserves_only_free and settled and self.is_in_reach(first, last)):
            return found
        return Finding(clause.name, clause.says, message, REFUSAL, before, frames.around(number(event.address)))

    def take(self, first: int, last: int, line: int) -> tuple[bool, Finding | None]:
        """Takes those of these frames that are free; whether what was named before explains the others, and a fault."""
        settled, found = True, None
        while first < last:
            end = self.first_not_free(first, last)
            if first < end:
                self.bitmap.reserve(first, end)
                found = self.frames.allocated_row(first, end, line) or found
            first = self.first_free(end, last)
            if end < first and self.turn_up(end, first):
                first = end
            else:
                settled = self.explains(end, first, line) and settled
        return settled, found

    def explains(self, first: int, last: int, line: int) -> bool:
        """Whether what was named before explains that these frames, none of which is free, were taken."""
        frames, settled = self.frames, True
        for frame in range(first, min(last, first + MOST_DOUBTED)):
            if not frames.is_settled(frame, line):
                frames.doubts.was_handed_out(frame << self.rules.geometry.page_shift)
                settled = False
        return settled and last - first <= MOST_DOUBTED

    @property
    def bitmap(self) -> Bitmap:
        """The frames, where they are handed out one by one."""
        bitmap = self.frames.bitmap
        assert isinstance(bitmap, Bitmap), "runs of frames are replayed elsewhere"
        return bitmap

    def reserved(self, event: events.FrameReserve) -> tuple[int, int]:
        first = number(event.address) >> self.rules.geometry.page_shift
        return first, first + number(event.count)

    def is_in_reach(self, first: int, last: int) -> bool:
        return first >= 0 and last <= self.frames.bitmap.frames

    def reserve_refused(self, event: events.FrameReserve) -> Finding | None:
        if self.rules.lacking_passes:
            return None
        self.frames.spread()
        doubts, asked = self.frames.doubts, range(*self.reserved(event))  # which may be far more than there are
        if doubts.missing or any(frame in asked for frame in doubts.frames):
            return None
        state = self.frames.around(number(event.address))
        return wrongly_failed("frame.reserve", event.error, "success", law.reserve.says, state)

    def violated_by_reserve(self, event: events.FrameReserve, line: int) -> Clause | None:
        first, last = self.reserved(event)
        state, frame = self.frames.state(), self.not_free(first, last)
        misaligned = self.frames.misaligned(number(event.address))
        return misaligned or law.reserve.broken(state, first=first, last=last, frame=frame)

    def not_free(self, first: int, last: int) -> int:
        """The first of these frames that is not free; the one before them if there is none."""
        reach = self.frames.bitmap.frames
        if not 0 <= first < reach:
            return first if first < last else first - 1
        end = self.first_not_free(first, min(last, reach))
        return end if end < last else first - 1

    def first_not_free(self, first: int, last: int) -> int:
        """The first of these frames, all in the bitmap, that is not free; the one after them if there is none."""
        end = lowest_clear_bit(self.bitmap.words, first, last)
        return last if end is None else end

    def first_free(self, first: int, last: int) -> int:
        """Likewise the first that is free."""
        end = lowest_bit(self.bitmap.words, 1, first, last)
        return last if end is None else end

    def reserve_message(self, event: events.FrameReserve, clause: Clause) -> str:
        first, last = self.reserved(event)
        if clause is law.reserves_some:
            return f"{last - first} frames cannot be reserved"
        if clause is law.reserves_only_free:
            return self.frames.describe_frame(self.not_free(first, last))
        return self.frames.describe(number(event.address))

    # memory.add

    def add(self, event: events.MemoryAdd, line: int) -> Finding | None:
        if event.error is not UNSET:
            first, last = self.frames_of_memory(event)
            if self.rules.safe or any(overlap(first, last, each) for each in self.refused):
                return None
            if first < last:
                self.refused = [*self.refused[1 - MOST_REFUSED :], (first, last, line)]
            says, state = law.add_memory.says, self.frames.totals()
            return wrongly_failed("memory.add", event.error, "success", says, state)
        first, last = self.frames_of_memory(event)
        if self.misfit(event) is None and self.comes_new(first, last, line):
            return None
        clause, before = self.violated_by_add(event, line), self.frames.totals()
        message = "" if clause is None else self.add_message(event, clause)
        spurious = self.make_free(first, last, line)
        if clause is None or self.rules.safe:
            return None
        if clause is law.adds_only_what_is_not_free:  # a spurious free has made a frame free that did not exist
            were, they = agreeing(spurious, "was", "were"), agreeing(spurious, "it", "they")
            words = f"{counted(spurious, 'frame')} that {were} added {were} freed before {they} existed"
            self.frames.warnings.append((line, words))
            return None
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.frames.totals())

    def frames_of_memory(self, event: events.MemoryAdd) -> tuple[int, int]:
        """The frames that lie wholly in the memory that was added, as far as the bitmap reaches."""
        start, length = number(event.start), number(event.length)
        first, last = self.rules.geometry.frames_within(start, min(start + length, boot_law.TOP))
        return max(first, 0), min(last, self.frames.bitmap.frames)

    def misfit(self, event: events.MemoryAdd) -> Clause | None:
        """What is wrong with the memory itself."""
        fits, state = boot_law.record_has_64_bits, boot_law.unread(self.rules.geometry.page_shift)
        return None if fits(state, number(event.start), number(event.length), boot_law.USABLE) else fits

    def comes_new(self, first: int, last: int, line: int) -> bool:
        """Whether the reference adds these frames; none was there, and none was said to be refused."""
        bitmap = self.frames.bitmap
        if self.refused or not isinstance(bitmap, Bitmap) or not bitmap.hotplug(first, last):
            return False
        self.added += [(first, last, line)] if first < last else []
        return True

    def violated_by_add(self, event: events.MemoryAdd, line: int) -> Clause | None:
        first, last = self.frames_of_memory(event)
        misfit = self.misfit(event)
        if misfit is not None:
            return misfit
        for frame in (self.existing(first, last), self.free(first, last)):
            if frame is not None:
                return law.add_memory.broken(self.frames.state(), first=first, last=last, frame=frame)
        return None

    def existing(self, first: int, last: int) -> int | None:
        """The lowest of these frames that exists."""
        bitmap = self.frames.bitmap
        if isinstance(bitmap, Bitmap):
            return lowest_bit(bitmap.existing, 1, first, last)
        frame = bitmap.next_existing(first)
        return frame if frame < last else None

    def free(self, first: int, last: int) -> int | None:
        """The lowest of these frames that is free; where frees are checked it exists, too."""
        bitmap = self.frames.bitmap
        if isinstance(bitmap, RunFrames):
            return bitmap.next_believed(first, last)
        return lowest_bit(bitmap.words, 1, first, last)

    def add_message(self, event: events.MemoryAdd, clause: Clause) -> str:
        first, last = self.frames_of_memory(event)
        frame = self.existing(first, last)
        if clause is not law.adds_only_what_is_missing or frame is None:
            return f"{number(event.length):#x} bytes from {number(event.start):#x} were added"
        line = next((line for one, other, line in self.added if one <= frame < other), 0)
        return f"frame {frame} exists already{since(line, 'added by')}"

    def make_free(self, first: int, last: int, line: int) -> int:
        """Adds those of these frames that do not exist; how many of them were free all the same."""
        bitmap, spurious = self.frames.bitmap, 0
        self.refused = [each for each in self.refused if not overlap(first, last, each)]
        for start, end in list(self.gaps(first, last)):
            if isinstance(bitmap, RunFrames):
                spurious += bitmap.turn_up(start, end)
                self.added.append((start, end, line))
                continue
            frame = start
            while (free := self.free(frame, end)) is not None:
                bitmap.take(free)
                spurious, frame = spurious + 1, free + 1
            bitmap.hotplug(start, end)
            self.added.append((start, end, line))
        return spurious

    def turn_up(self, first: int, last: int) -> bool:
        """Whether some of these frames may be there although they were not added; then they are, from now on."""
        found = [each for each in self.refused if overlap(first, last, each)]
        for each in found:
            self.make_free(*each)
        return bool(found)

    def count_up(self, more: int, first: int, last: int) -> bool:
        """Likewise, where so many more frames from the first on, and before the last, are said to be free."""
        for found in (self.refused, *([each] for each in reversed(self.refused))):
            if 0 < more == sum(overlap(first, last, each) for each in found):
                for each in list(found):
                    self.make_free(*each)
                return True
        return False

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The runs of frames that do not exist: the first, and the one after the last."""
        while first < last:
            end = self.existing(first, last)
            end = last if end is None else end
            if first < end:
                yield first, end
            first = self.missing(end, last)

    def missing(self, first: int, last: int) -> int:
        """The lowest of these frames that does not exist; the one after them, or a later one, if all exist."""
        bitmap = self.frames.bitmap
        if not isinstance(bitmap, Bitmap):
            return bitmap.next_missing(first)
        while first < last and bitmap.exists(first):
            first += BITS if first % BITS == 0 and bitmap.existing[first // BITS] == ALL_BITS else 1
        return first


def overlap(first: int, last: int, frames: tuple[int, int, int]) -> int:
    """How many of these frames, from the first on and before the last, are among others."""
    return max(0, min(last, frames[1]) - max(first, frames[0]))
