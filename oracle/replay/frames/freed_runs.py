"""Replays what takes back runs of frames, on the reference's `Runs`; names the clause that breaks."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Rules
from memoracle.impl.bitmap import Bitmap
from memoracle.proofs.abstraction.objects import places_of
from memoracle.replay.frames.doubted_runs import MOST_DOUBTED, RunDoubts
from memoracle.replay.frames.frame_requests import Requests, Size, rounded, size_of
from memoracle.replay.frames.frame_words import RunWords
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.run_frames import RunFrames
from memoracle.spec import bitmap as frame_law
from memoracle.spec import given_runs
from memoracle.spec import runs as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number

OWED = (
    law.frees_only_existing,
    law.frees_only_what_may_be_free,
    law.frees_only_allocated,
    given_runs.frees_a_whole_run,
)


class FreedRuns:
    """The runs of frames of one trace, as they are given back.

    doubts: what a fault has left in doubt.
    """

    def __init__(self, rules: Rules, frames: FrameReplay, doubts: RunDoubts) -> None:
        self.rules = rules
        self.frames = frames
        self.doubts = doubts
        geometry = rules.geometry
        self.requests = Requests(geometry)
        self.words = RunWords(frames, self.requests.most)
        self.law_of_free = given_runs.free_whole if geometry.frees_whole_runs else law.free
        if frames.trusting:
            self.law_of_free = frames.law_of_free  # of each frame
        self.shift, self.offset = geometry.page_shift, geometry.page_size - 1
        self.backs = self.requests.backs

    @property
    def runs(self) -> RunFrames:
        return self.doubts.runs

    def remember(self, first: int, count: int, line: int, freed: bool) -> None:
        """This line was the last to say something of these frames."""
        self.runs.lines.note(first, count, line)
        if count > 1:
            self.doubts.changes.append((first, count, line, freed))

    def free_run(self, event: events.FrameFree, line: int) -> Finding | None:
        """A free that names at the most how many, or an order, and succeeded."""
        address, frames = number(event.address), self.frames
        named = event.count if event.order is UNSET else (event.order,)
        count, runs, first = self.backs.get(named), frames.runs, address >> self.shift
        if count is None or address & self.offset or frames.kernel_page_frames or not runs.free_run(first, count):
            return self.free(event, line)
        runs.lines.note(first, count, line)
        if count > 1:
            self.doubts.changes.append((first, count, line, True))
        if frames.doubts.frames:
            self.doubts.settle(first, count)
        return self.freed_while_used(first, count, line) if frames.uses or frames.gets else None

    def free(self, event: events.FrameFree, line: int) -> Finding | None:
        address, count, frames = number(event.address), self.given_back(event), self.frames
        first = address >> self.shift
        if event.error is not UNSET:
            return self.free_refused(event, first, count)
        among_pages = (
            frames.kernel_page_frames and self.first_among(frames.kernel_page_frames, first, count) is not None
        )
        if address & self.offset or among_pages or not self.runs.free_run(first, count):
            free = self.freed_on_trust if frames.trusting else self.freed_wrongly
            return free(address, size_of(event, count), line)
        self.remember(first, count, line, freed=True)
        if frames.doubts.frames:
            self.doubts.settle(first, count)
        return self.freed_while_used(first, count, line) if frames.uses or frames.gets else None

    def given_back(self, event: events.FrameFree) -> int:
        """How many frames a free gives back. Where that is whole: if it does not say so, what one allocation gave.

        A block was rounded up when it was allocated; what was reserved was not.
        """
        count, bitmap = self.requests.given_back(event), self.frames.bitmap
        if isinstance(bitmap, Bitmap) or bitmap.given is None:
            return count
        given = bitmap.given.get(number(event.address) >> self.shift, 0)
        if event.count is event.order is UNSET:
            return given or 1
        return rounded(count) if self.requests.rounds_frees and given != count else count

    def first_among(self, some: Mapping[int, int], first: int, count: int) -> int | None:
        """The first frame of a run that is among some."""
        if count <= len(some):
            return next((frame for frame in range(first, first + count) if frame in some), None)
        return min((frame for frame in some if first <= frame < first + count), default=None)

    def freed_while_used(self, first: int, count: int, line: int) -> Finding | None:
        frame = self.first_used(first, count)
        return None if frame is None else self.frames.freed_while_used(frame, line)

    def first_used(self, first: int, count: int) -> int | None:
        """The first frame of a run that has uses."""
        found = [self.first_among(some, first, count) for some in (self.frames.uses, self.frames.gets)]
        return min((frame for frame in found if frame is not None), default=None)

    def freed_wrongly(self, address: int, size: Size, line: int) -> Finding | None:
        first, runs, count = address >> self.shift, self.runs, size.frames
        clause = broken(self.violated_by_free(address, count))
        at = self.words.obstacle(first, count, clause)
        message, before = self.words.why_not(clause, address, size), self.words.around(address, size, at)
        if 0 < count <= runs.frames - first and first >= 0:
            owed = clause in OWED and self.doubts.are_owed(list(runs.not_in_use(first, first + count)))
            self.free_anyhow(first, count, line)
            if owed:
                return None
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.words.around(address, size, at))

    def freed_on_trust(self, address: int, size: Size, line: int) -> Finding | None:
        """Behaving is the caller's duty, so a free that the checked law refuses is worth a warning."""
        first, count = address >> self.shift, size.frames
        if self.violated_on_trust(address, count) is not None:
            return self.freed_wrongly(address, size, line)
        clause = broken(self.violated_if_checked(address, count))
        self.frames.warnings.append((line, f"spurious free: {self.words.why_not(clause, address, size)}"))
        named = self.words.obstacle(first, count, clause)
        if named in self.frames.uses or named in self.frames.gets:
            self.frames.warned.add(named)  # that warning says who maps it, too
        self.take_from_pages(first, count)
        self.runs.free_on_trust(first, count)
        self.remember(first, count, line, freed=True)
        self.doubts.settle(first, count)
        return self.freed_while_used(first, count, line)

    def take_from_pages(self, first: int, count: int) -> None:
        """None of these frames is one of kernel pages or of tables any more."""
        pages = self.frames.kernel_page_frames
        while (frame := self.first_among(pages, first, count)) is not None:
            del pages[frame]
            self.frames.table_frames.pop(frame, None)

    def free_anyhow(self, first: int, count: int, line: int) -> None:
        """Frees what can be freed of a run; what is left of runs that should have been freed whole may be free, too."""
        rest = [*self.doubts.beside(first, -1), *self.doubts.beside(first + count - 1, 1)]
        self.take_from_pages(first, count)
        for start, end in self.runs.free_used_ones(first, count):
            self.remember(start, end - start, line, freed=True)
            self.frames.doubts.add(range(start, min(end, start + MOST_DOUBTED)))  # it may have been ignored
        if self.runs.given is not None:
            self.frames.doubts.add(rest)

    def violated_by_free(self, address: int, count: int) -> Clause | None:
        if not self.frames.trusting:
            return self.violated_if_checked(address, count)
        first = address >> self.shift
        return (
            self.violated_on_trust(address, count) or self.pages_refuse(first, count) or self.uses_refuse(first, count)
        )

    def violated_on_trust(self, address: int, count: int) -> Clause | None:
        """What refuses a free that is believed: the law of each frame."""
        frames, first = self.frames, address >> self.shift
        refused = frames.misaligned(address)
        if refused is None and not law.run_has_a_place(places_of(self.runs.runs), count):
            refused = law.run_has_a_place
        each = {first + count - 1, self.words.obstacle(first, count, frame_law.frees_only_what_may_be_free)}
        found = (frames.law_of_free.broken(frames.state(), frame=frame) for frame in sorted(each))
        return refused or next((clause for clause in found if clause is not None), None)

    def violated_if_checked(self, address: int, count: int) -> Clause | None:
        first, runs = address >> self.shift, self.runs
        return (
            self.frames.misaligned(address)
            or runs.refuses_to_free(first, count)
            or self.pages_refuse(first, count)
            or runs.refuses_a_part(first, count)
            or self.uses_refuse(first, count)
        )

    def pages_refuse(self, first: int, count: int) -> Clause | None:
        """The clause that refuses to free frames of kernel pages."""
        page = self.first_among(self.frames.kernel_page_frames, first, count)
        return None if page is None else self.frames.kernel_pages_refuse(page)

    def uses_refuse(self, first: int, count: int) -> Clause | None:
        """The clause that refuses to free frames that have uses, where the geometry wants it."""
        used = self.first_used(first, count)
        return None if used is None else self.frames.uses_refuse(used)

    def free_refused(self, event: events.FrameFree, first: int, count: int) -> Finding | None:
        self.frames.spread()
        if self.rules.safe or any(first <= frame < first + count for frame in self.frames.doubts.frames):
            return None
        if self.frames.trusting and self.runs.next_missing(first) < first + count:
            return None  # it may be refused
        state = self.words.around(number(event.address), size_of(event, count))
        return wrongly_failed("frame.free", event.error, "success", self.law_of_free.says, state)

    def refused_rightly(self, event: events.FrameFree) -> None:
        """If this free was owed, it has been tried."""
        first, owed = number(event.address) >> self.shift, self.frames.doubts.owed
        if owed:
            last = first + self.given_back(event)
            for address in [key for key in owed if first <= key >> self.shift < last]:
                owed.settle(address)
